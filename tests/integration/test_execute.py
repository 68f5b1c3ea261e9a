"""`POST /v1/execute`: programs in, what became of them out."""

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from reward_service.api.keys import new_api_key
from tests.live_service import LiveService, live_service

ECHO = {"language": "python", "code": "print(input())", "stdin": "42\n"}
CPP = '#include "n.h"\n#include <iostream>\nint main() { std::cout << N; }'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, docker_engine: None) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("execute")
    with live_service(directory, pool_workers=1, sandbox_slots=2) as running:
        yield running


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, docker_engine: None) -> Iterator[LiveService]:
    """With one slot and room for eight waiting runs."""
    directory = tmp_path_factory.mktemp("small")
    with live_service(directory, pool_workers=1, sandbox_slots=1, max_queue_items=8) as running:
        yield running


def post(service: LiveService, *runs: dict[str, Any], **fields: Any) -> httpx.Response:
    numbered = [{"id": str(i), **run} for i, run in enumerate(runs)]
    body = json.dumps({"runs": numbered, **fields})  # httpx would not escape surrogates
    return httpx.post(f"{service.url}/v1/execute", content=body, timeout=300)


def execute(service: LiveService, *runs: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    answer = post(service, *runs, **fields)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    assert [result["id"] for result in found] == [str(i) for i in range(len(runs))]
    return found


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param({}, {"verdict": "ok", "stdout": "42\n", "exit_code": 0}, id="echo"),
        pytest.param(
            {"code": "import sys\nprint(1)\nsys.exit('no')"},
            {"verdict": "runtime_error", "stdout": "1\n", "stderr": "no\n", "exit_code": 1},
            id="exit-status",
        ),
        pytest.param(
            {"code": "import os\nos.abort()"},
            {"verdict": "runtime_error", "exit_code": None, "signal": 6},
            id="signal",
        ),
        pytest.param(
            {"code": "while True: pass", "limits": {"cpu_s": 0.2}},
            {"verdict": "time_limit_exceeded"},
            id="endless",
        ),
        pytest.param(
            {"code": "x = bytearray(b'x') * (200 << 20)", "limits": {"memory_mb": 64}},
            {"verdict": "memory_limit_exceeded"},
            id="memory",
        ),
        pytest.param(
            {"code": "print('x' * 9000)", "limits": {"output_kb": 8}},
            {"verdict": "output_limit_exceeded", "stdout": "x" * 8192},
            id="output",
        ),
        pytest.param(
            {"language": "cpp", "code": "int main( {"},
            {"verdict": "compile_error", "stdout": ""},
            id="compile",
        ),
        pytest.param(
            {
                "code": "import os, sys\nprint(sys.argv[1:], os.environ['A'], open('d/x').read())",
                "args": ["a b"],
                "env": {"A": "1"},
                "files": {"d/x": "2"},
            },
            {"stdout": "['a b'] 1 2\n"},
            id="surroundings",
        ),
        pytest.param(
            {"code": None, "files": {"app.py": "import b\nprint(b.x)", "b.py": "x = 3"}}
            | {"entry": "app.py"},
            {"stdout": "3\n"},
            id="files-and-entry",
        ),
        pytest.param(
            {"language": "cpp", "code": None, "files": {"main.cpp": CPP, "n.h": "#define N 7"}}
            | {"entry": "main.cpp"},
            {"stdout": "7"},
            id="header",
        ),
        pytest.param(
            {"code": "import sys\nprint(sys.stdin.buffer.read())", "stdin": {"base64": "/wA="}},
            {"stdout": "b'\\xff\\x00'\n"},
            id="stdin-of-bytes",
        ),
        pytest.param(
            {"code": "import os\nos.write(1, b'a\\xff')"},
            {"stdout": "a\ufffd", "stdout_base64": base64.b64encode(b"a\xff").decode()},
            id="stdout-of-bytes",
        ),
        pytest.param(
            {
                "code": "open('t', 'w').write('é')\nopen('b', 'wb').write(b'\\xff')",
                "output_files": ["t", "b", "none"],
            },
            {"stdout": "", "stdout_base64": None, "files": {"t": "é", "b": {"base64": "/w=="}}},
            id="output-files",
        ),
        pytest.param(
            {"code": "print(len(input()))", "stdin": "\ud800"}, {"stdout": "1\n"}, id="surrogate"
        ),
    ],
)
def test_a_program_is_run(
    service: LiveService, run: dict[str, Any], expected: dict[str, Any]
) -> None:
    result = execute(service, ECHO | run)[0]
    assert (result["status"], result["error"]) == ("ok", None)
    assert {key: result[key] for key in expected} == expected, result


def test_runs_are_answered_in_order_with_what_they_took(service: LiveService) -> None:
    sleep = {"language": "python", "code": "import time\ntime.sleep(0.5)\nprint('late')"}
    late, soon = execute(service, sleep, ECHO)
    assert (late["stdout"], soon["stdout"]) == ("late\n", "42\n")
    assert late["wall_ms"] > 450 > late["cpu_ms"] > 0
    assert late["memory_kb"] > 0


def test_the_same_program_twice_is_run_twice(service: LiveService) -> None:
    run = {"language": "python", "code": "import os\nprint(os.urandom(16).hex())"}
    first, second = execute(service, run, run)
    assert first["stdout"] != second["stdout"]


def test_what_is_not_done_at_the_deadline_is_an_error_and_no_verdict(service: LiveService) -> None:
    sleep = ECHO | {"code": "import time\ntime.sleep(60)", "limits": {"wall_s": 120}}
    began = time.monotonic()
    late, soon = execute(service, sleep, ECHO, deadline_ms=3000)
    assert time.monotonic() - began < 30
    assert (soon["status"], soon["verdict"]) == ("ok", "ok")
    assert (late["status"], late["verdict"], late["stdout"]) == ("error", None, "")
    assert (late["error"]["code"], late["error"]["retryable"]) == ("deadline_exceeded", True)


def test_an_answer_is_bounded_and_says_what_to_send_again(service: LiveService) -> None:
    flood = ECHO | {"code": "print('x' * (30 << 20), end='')", "limits": {"output_kb": 65_536}}
    results = execute(service, flood, flood, flood)
    assert sorted(result["status"] for result in results) == ["error", "ok", "ok"]
    errors = [result["error"] for result in results if result["error"]]
    assert [(e["code"], e["retryable"]) for e in errors] == [("answer_too_large", True)]


@pytest.mark.parametrize(
    ("run", "field"),
    [
        pytest.param({"code": None}, "runs.0", id="no-program"),
        pytest.param({"entry": "x"}, "runs.0", id="two-programs"),
        pytest.param({"code": None, "entry": "x"}, "runs.0", id="entry-without-a-file"),
        pytest.param({"language": "cobol"}, "runs.0.language", id="unknown-language"),
        pytest.param({"language": "rust"}, "runs.0.language", id="language-not-held"),
        pytest.param({"cod": "x"}, "runs.0.cod", id="typo"),
        pytest.param({"limits": {"cpu_s": 1e9}}, "runs.0.limits.cpu_s", id="limit"),
        pytest.param({"limits": {"disk_mb": 0}}, "runs.0.limits.disk_mb", id="no-disk"),
        pytest.param({"args": ["\0"]}, "runs.0.args", id="nul-in-argument"),
        pytest.param({"env": {"A=": "1"}}, "runs.0.env", id="name-of-a-variable"),
        pytest.param({"files": {"../x": ""}}, "runs.0.files", id="file-outside"),
        pytest.param({"files": {"main.py": ""}}, "runs.0.files", id="name-of-the-program"),
        pytest.param({"files": {"x": {"base64": "?"}}}, "runs.0.files", id="no-base64"),
        pytest.param({"output_files": ["/x"]}, "runs.0.output_files", id="output-outside"),
        pytest.param({"stdin": 42}, "runs.0.stdin", id="number-as-text"),
    ],
)
def test_what_cannot_be_run_is_refused_by_name(
    service: LiveService, run: dict[str, Any], field: str
) -> None:
    answer = post(service, ECHO | run)
    assert answer.status_code == 422, answer.text
    assert any(p["field"].startswith(field) for p in answer.json()["problems"]), answer.text


def test_an_id_that_occurs_twice_is_refused(service: LiveService) -> None:
    runs = [{"id": "a", **ECHO}, {"id": "a", **ECHO}]
    answer = httpx.post(f"{service.url}/v1/execute", json={"runs": runs})
    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (422, "runs.1.id")


def test_a_full_queue_says_when_to_come_again(small: LiveService) -> None:
    slow = ECHO | {"code": "import time\ntime.sleep(2)"}
    with ThreadPoolExecutor() as threads:
        first = threads.submit(execute, small, *[slow] * 5)
        time.sleep(0.5)
        refused = post(small, *[slow] * 6)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert {result["verdict"] for result in first.result()} == {"ok"}


def test_a_burst_of_runs_leaves_rewards_their_turn(small: LiveService) -> None:
    slow = ECHO | {"code": "import time\ntime.sleep(1)"}
    code = {"name": "code", "params": {"tests": [{"output": "42"}]}}
    item = {"id": "a", "completion": "```python\nprint(42)\n```", "verifiers": [code]}
    with ThreadPoolExecutor() as threads:
        burst = threads.submit(execute, small, *[slow] * 6)
        time.sleep(0.5)
        assert small.score({"items": [item]})["rewards"] == [1.0]
        assert not burst.done()
        burst.result()


def test_without_a_sandbox_nothing_is_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("off")
    with live_service(directory, sandbox_backend="off", pool_workers=1) as off:
        answer = post(off, ECHO)
    assert (answer.status_code, answer.json()["code"]) == (503, "sandbox_unavailable")
    assert int(answer.headers["retry-after"]) >= 1


def test_the_body_and_the_answer_are_published(service: LiveService) -> None:
    schema = httpx.get(f"{service.url}/openapi.json").json()
    operation = schema["paths"]["/v1/execute"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/ExecuteRequest"}
    assert {"ExecuteRequest", "RunSpec", "RunResult"} <= schema["components"]["schemas"].keys()
    assert {"200", "401", "422", "429", "503"} <= operation["responses"].keys()


def test_keys_take_turns(tmp_path: Path, docker_engine: None) -> None:
    """Requests under one key are not served before the one of another that came last."""
    (many, many_hash), (few, few_hash) = new_api_key(), new_api_key()
    ended: list[str] = []

    def ask(key: str, runs: int, nap_s: float = 0.1) -> None:
        code = f"import time\ntime.sleep({nap_s})"
        body = {"runs": [{"id": str(i), "language": "python", "code": code} for i in range(runs)]}
        answer = httpx.post(url, json=body, headers={"X-API-Key": key}, timeout=300)
        assert {result["verdict"] for result in answer.json()["results"]} == {"ok"}
        ended.append(key)

    def waiting() -> float:
        text = httpx.get(f"{service.url}/metrics", timeout=60).text
        (line,) = (one for one in text.splitlines() if one.startswith("rulegrade_queue_items "))
        return float(line.split()[1])

    settings: dict[str, str | int] = {
        "api_keys": f"{many_hash},{few_hash}",
        "pool_workers": 1,
        "sandbox_slots": 1,
    }
    with live_service(tmp_path, **settings) as service, ThreadPoolExecutor() as pool:
        url = f"{service.url}/v1/execute"
        asked = [pool.submit(ask, many, 1, 2.0), *(pool.submit(ask, many, 3) for _ in range(4))]
        while waiting() < 8:
            time.sleep(0.01)
        asked.append(pool.submit(ask, few, 3))
        for one in asked:
            one.result()
    assert few in ended[:2], "only the request of one long run may be done before"

"""Other projects' requests that run programs, in the shapes that their own clients send."""

import base64
import json
import pickle
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.live_service import LiveService, live_service

pytestmark = pytest.mark.usefixtures("docker_engine")

SUM = "print(sum(map(int, input().split())))"
SUM_CPP = "#include <iostream>\nint main(){int a,b;std::cin>>a>>b;std::cout<<a+b<<'\\n';}"


@pytest.fixture(scope="module")
def service(docker_engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    directory = tmp_path_factory.mktemp("programs")
    with live_service(directory, sandbox_slots=2, pool_workers=1) as running:
        yield running


def post(service: LiveService, path: str, body: Any) -> httpx.Response:
    return httpx.post(service.url + path, json=body, timeout=120)


def answer(service: LiveService, path: str, body: Any) -> Any:
    response = post(service, path, body)
    assert response.status_code == 200, response.text
    return response.json()


# ── SandboxFusion ──


def verl_request(code: str, stdin: str | None = "1 2\n", **fields: Any) -> dict[str, Any]:
    """As verl's client sends it, one a test."""
    return {
        "compile_timeout": 10,
        "run_timeout": 10,
        "code": code,
        "stdin": stdin,
        "memory_limit_MB": 512,
        "language": "python",
        "files": {},
        "fetch_files": [],
        **fields,
    }


def test_sandbox_fusion_pings_without_a_key(service: LiveService) -> None:
    assert httpx.get(f"{service.url}/v1/ping").json() == "pong"


def test_sandbox_fusion_runs_a_program(service: LiveService) -> None:
    got = answer(service, "/run_code", verl_request(SUM))
    assert got["status"] == "Success"
    assert got["compile_result"] is None
    run = got["run_result"]
    assert (run["status"], run["return_code"], run["stdout"]) == ("Finished", 0, "3\n")
    assert run["stderr"] == ""
    assert run["execution_time"] > 0


@pytest.mark.parametrize(
    ("code", "status", "code_returned"),
    [
        pytest.param("raise SystemExit(3)", "Finished", 3, id="exit-status"),
        pytest.param("import os; os.kill(os.getpid(), 11)", "Finished", -11, id="signal"),
        pytest.param("while True: pass", "TimeLimitExceeded", None, id="time"),
        pytest.param("x = bytearray(10**9)", "Finished", -9, id="memory"),
        pytest.param("while True: print('x' * 10**6)", "Finished", -9, id="output"),
    ],
)
def test_sandbox_fusion_failures_are_the_programs_own(
    service: LiveService, code: str, status: str, code_returned: int | None
) -> None:
    got = answer(
        service, "/run_code", verl_request(code, stdin=None, run_timeout=1, compile_timeout=60)
    )
    assert got["status"] == "Failed"
    assert got["run_result"]["status"] == status
    assert isinstance(got["run_result"]["stdout"], str)
    if code_returned != -9 or got["run_result"]["return_code"] != 1:  # MemoryError exits by itself
        assert got["run_result"]["return_code"] == code_returned


def test_sandbox_fusion_compiles(service: LiveService) -> None:
    got = answer(service, "/run_code", verl_request(SUM_CPP, language="cpp"))
    assert got["status"] == "Success"
    assert got["compile_result"]["return_code"] == 0
    assert got["run_result"]["stdout"] == "3\n"
    broken = answer(service, "/run_code", verl_request("int main(", language="cpp"))
    assert broken["status"] == "Failed"
    assert broken["compile_result"]["return_code"] == 1
    assert broken["compile_result"]["stderr"]
    assert broken["run_result"] is None


def test_sandbox_fusion_brings_files_in_and_out(service: LiveService) -> None:
    code = "open('b.txt', 'w').write(open('a.txt').read().upper())"
    files = {"a.txt": base64.b64encode(b"text").decode(), "none.txt": None}
    body = verl_request(code, files=files, fetch_files=["b.txt", "missing"])
    got = answer(service, "/run_code", body)
    assert got["files"] == {"b.txt": base64.b64encode(b"TEXT").decode()}


def test_sandbox_fusion_takes_python_where_no_language_is_named(service: LiveService) -> None:
    assert answer(service, "/run_code", {"code": "print(1)"})["run_result"]["stdout"] == "1\n"


@pytest.mark.parametrize("language", ["cuda", "lean", ""])
def test_sandbox_fusion_languages_that_we_lack_are_refused(
    service: LiveService, language: str
) -> None:
    assert post(service, "/run_code", verl_request(SUM, language=language)).status_code == 422


def test_128_requests_at_once_lose_no_correct_program(service: LiveService) -> None:
    """SandboxFusion's own server gave verl 14 zeros for 24 correct programs under load."""

    def run(number: int) -> str:
        got = answer(service, "/run_code", verl_request(SUM, stdin=f"{number} 1\n"))
        return str(got["run_result"]["stdout"])

    with ThreadPoolExecutor(128) as threads:
        outputs = list(threads.map(run, range(128)))
    assert outputs == [f"{number + 1}\n" for number in range(128)]


def test_what_cannot_be_run_in_time_is_shed_with_504(service: LiveService) -> None:
    slow = verl_request("import time; time.sleep(8)", stdin=None)
    refused = post(service, "/run_code?hold_s=1", slow)
    assert refused.status_code == 504  # which verl's client sends again


# ── open-instruct ──


@pytest.mark.parametrize("as_text", [False, True])
def test_open_instruct_gets_a_result_for_each_test(service: LiveService, as_text: bool) -> None:
    tests: Any = [
        {"input": "1 2\n", "output": "3\n"},
        {"input": "1 2\n", "output": "4\n"},
        {"input": "x\n", "output": "3\n"},
    ]
    body = {
        "program": SUM,
        "tests": json.dumps(tests) if as_text else tests,
        "max_execution_time": 1.0,
    }
    got = answer(service, "/test_program_stdio", body)
    assert got["results"] == [1, 0, 0]
    assert len(got["runtimes"]) == 3
    assert all(seconds > 0 for seconds in got["runtimes"])


ADD = "def helper(x):\n    return x\n\ndef add(a, b):\n    return helper(a) + b"


def test_open_instruct_gets_a_result_for_each_assertion(service: LiveService) -> None:
    tests = ["assert add(1, 2) == 3", "assert add(1, 2) == 4", "assert add(helper(1), 2) == 3"]
    got = answer(service, "/test_program", {"program": ADD, "tests": tests})
    assert got["results"] == [1, 0, 1]
    assert len(got["runtimes"]) == 3


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("import os\ndef add(a, b):\n    os._exit(0)", id="exit"),
        pytest.param(
            "class Yes:\n    def __eq__(self, other):\n        return True\n"
            "def add(a, b):\n    return Yes()",
            id="equal-to-all",
        ),
        pytest.param("raise SystemExit(0)", id="exit-at-import"),
    ],
)
def test_open_instruct_programs_cannot_pass_by_a_trick(service: LiveService, program: str) -> None:
    body = {"program": program, "tests": ["assert add(1, 2) == 3"]}
    assert answer(service, "/test_program", body)["results"] == [0]


def test_open_instruct_pickles_are_not_read(service: LiveService) -> None:
    text = base64.b64encode(zlib.compress(pickle.dumps(["assert True"]))).decode()
    body = {"program": SUM, "tests": text, "max_execution_time": 1.0}
    refused = post(service, "/test_program_stdio", body)
    assert refused.status_code == 422
    assert "pickle" in refused.text


# ── open-r1 ──


def test_open_r1_routers_get_the_last_expression(service: LiveService) -> None:
    reward_script = (
        "import subprocess\n"
        "def passed(code, given, wanted):\n"
        "    run = subprocess.run(['python3', '-c', code], input=given, text=True,\n"
        "                         capture_output=True, timeout=5)\n"
        "    return run.stdout.strip() == wanted\n"
        f"cases = [passed({SUM!r}, '1 2', '3'), passed({SUM!r}, '1 2', '4')]\n"
        "print('noise')\n"
        "sum(cases) / len(cases)"
    )
    scripts = [reward_script, "1 / 0", "x = 1", "def ("]
    body = {"scripts": scripts, "languages": ["python"] * 4, "timeout": 30, "request_timeout": 28}
    got = answer(service, "/execute_batch", body)
    assert [one["text"] for one in got] == ["0.5", None, None, None]
    e2b = got[0]["execution"]
    assert [(r["text"], r["is_main_result"]) for r in e2b["results"]] == [("0.5", True)]
    assert e2b["logs"] == {"stdout": ["noise\n"], "stderr": []}
    assert e2b["error"] is None
    assert got[0]["exception_str"] is None
    error = got[1]["execution"]["error"]
    assert (error["name"], error["value"]) == ("ZeroDivisionError", "division by zero")
    assert "ZeroDivisionError" in got[1]["exception_str"]


def test_open_r1_asks_for_health(service: LiveService) -> None:
    assert httpx.get(f"{service.url}/health").status_code == 200


# ── Piston ──


def test_piston_runs_a_program_with_its_files(service: LiveService) -> None:
    body = {
        "language": "python3",
        "version": "*",
        "files": [
            {
                "name": "main.py",
                "content": "import other, sys; print(other.X, input(), sys.argv[1])",
            },
            {
                "name": "other.py",
                "content": base64.b64encode(b"X = 1").decode(),
                "encoding": "base64",
            },
        ],
        "stdin": "two\n",
        "args": ["three"],
        "run_timeout": 3000,
    }
    got = answer(service, "/api/v2/execute", body)
    assert got["language"] == "python"
    assert got["run"]["stdout"] == got["run"]["output"] == "1 two three\n"
    assert (got["run"]["code"], got["run"]["signal"]) == (0, None)
    assert "compile" not in got


def test_piston_tells_compile_errors_and_kills(service: LiveService) -> None:
    def run(language: str, code: str) -> Any:
        files = [{"name": "main", "content": code}]
        body = {"language": language, "version": "*", "files": files, "run_timeout": 1000}
        return answer(service, "/api/v2/execute", body)

    assert run("c++17", "int main(")["compile"]["code"] == 1
    assert run("c++17", SUM_CPP)["compile"]["code"] == 0
    hung = run("python", "while True: pass")["run"]
    assert (hung["code"], hung["signal"]) == (None, "SIGKILL")


def test_piston_lists_what_it_can_run(service: LiveService) -> None:
    listed = httpx.get(f"{service.url}/api/v2/runtimes").json()
    assert {"python", "cpp"} <= {runtime["language"] for runtime in listed}


# ── OpenAI graders ──

GRADERS = "/v1/fine_tuning/alpha/graders"


def graded(service: LiveService, grader: dict[str, Any], sample: str = "Paris") -> Any:
    item = {"reference_answer": "paris", "parts": ["a", "b"]}
    body = {"grader": {"name": "g", **grader}, "model_sample": sample, "item": item}
    return answer(service, f"{GRADERS}/run", body)


def check(operation: str) -> dict[str, Any]:
    return {
        "type": "string_check",
        "operation": operation,
        "input": "{{sample.output_text}}",
        "reference": "{{ item.reference_answer }}",
    }


@pytest.mark.parametrize(
    ("operation", "reward"), [("eq", 0.0), ("ne", 1.0), ("like", 0.0), ("ilike", 1.0)]
)
def test_openai_string_checks(service: LiveService, operation: str, reward: float) -> None:
    got = graded(service, check(operation))
    assert got["reward"] == reward
    assert not any(got["metadata"]["errors"].values())


def similarity(metric: str) -> dict[str, Any]:
    texts = {"input": "{{sample.output_text}}", "reference": "the quick brown fox jumps"}
    return {"type": "text_similarity", "evaluation_metric": metric, **texts}


@pytest.mark.parametrize(
    ("metric", "sample", "reward"),
    [
        pytest.param("fuzzy_match", "the quick brown fox jumps", 1.0, id="equal"),
        pytest.param("fuzzy_match", "THE", 0.0, id="no-letter-in-common"),
        pytest.param("rouge_1", "The Quick fox.", 2 * 3 / 8, id="words-in-any-case"),
        pytest.param("rouge_2", "the quick fox jumps", 2 * 2 / 7, id="pairs"),
        pytest.param("rouge_l", "fox the quick jumps", 2 * 3 / 9, id="subsequence"),
        pytest.param("gleu", "the quick brown fox jumps", 1.0, id="gleu-equal"),
        pytest.param("gleu", "the quick", 3 / 14, id="gleu-is-recall-here"),
        pytest.param("bleu", "the quick brown fox jumps", 1.0, id="bleu-equal"),
        pytest.param("bleu", "nothing alike", 0.0, id="bleu-nothing"),
    ],
)
def test_openai_text_similarity(
    service: LiveService, metric: str, sample: str, reward: float
) -> None:
    assert graded(service, similarity(metric), sample)["reward"] == pytest.approx(reward)


def test_openai_python_graders_run_in_the_sandbox(service: LiveService) -> None:
    source = (
        "def grade(sample, item):\n"
        "    print('noise')\n"
        "    return len(sample['output_text']) / 10 + sample['output_json']['x']"
    )
    got = graded(service, {"type": "python", "source": source, "image_tag": "2025"}, '{"x": 2}')
    assert got["reward"] == pytest.approx(2.8)


def test_openai_python_graders_that_fail_are_told(service: LiveService) -> None:
    got = graded(service, {"type": "python", "source": "def grade(sample, item): return 1 / 0"})
    errors = got["metadata"]["errors"]
    assert errors["python_grader_runtime_error"] is True
    assert "ZeroDivisionError" in errors["python_grader_runtime_error_details"]


def test_openai_multi_graders_combine(service: LiveService) -> None:
    parts = {"a": {"name": "a", **check("ilike")}, "b": {"name": "b", **check("eq")}}
    formula = "0.5 * a + max(b, 0.2) - 2 ^ -1"
    got = graded(service, {"type": "multi", "graders": parts, "calculate_output": formula})
    assert got["reward"] == pytest.approx(0.2)
    assert got["sub_rewards"] == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize(
    ("formula", "flag"),
    [
        ("a + c", "invalid_variable_error"),
        ("a +", "formula_parse_error"),
        ("a / (a - a)", "formula_parse_error"),
        ("__import__('os').getpid()", "formula_parse_error"),
        ("9 ^ 9 ^ 9 ^ 9", "formula_parse_error"),
    ],
)
def test_openai_formulas_are_arithmetic_only(service: LiveService, formula: str, flag: str) -> None:
    parts = {"a": {"name": "a", **check("ilike")}}
    got = graded(service, {"type": "multi", "graders": parts, "calculate_output": formula})
    assert [name for name, value in got["metadata"]["errors"].items() if value] == [flag]


@pytest.mark.parametrize(
    ("reference", "flag"),
    [
        ("{{item.nothing}}", "invalid_variable_error"),
        ("{{sample.output_json.x}}", "sample_parse_error"),
    ],
)
def test_openai_templates_name_what_is_missing(
    service: LiveService, reference: str, flag: str
) -> None:
    got = graded(service, {**check("eq"), "reference": reference}, "[" * 100_000)
    assert got["metadata"]["errors"][flag] is True


def test_openai_graders_are_validated(service: LiveService) -> None:
    grader = {"name": "g", **check("eq")}
    assert answer(service, f"{GRADERS}/validate", {"grader": grader}) == {"grader": grader}
    unknown = {"grader": {"name": "g", "type": "score_model", "model": "m", "input": []}}
    assert post(service, f"{GRADERS}/validate", unknown).status_code == 422

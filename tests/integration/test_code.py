"""The `code` verifier over HTTP: what it takes, what it finds, what it refuses."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.live_service import LiveService, live_service

pytestmark = pytest.mark.usefixtures("docker_engine")

ADD = {"kind": "function", "entry_point": "add", "tests": [{"args": [1, 2], "expected": 3}]}
METHOD = ADD | {"entry_point": "Solution.add"}
SUM = {"tests": [{"input": "1 2\n", "output": "3\n"}, {"input": "2 2\n", "output": "4\n"}]}
LEAVES = """import os, sys
print(1)
open("o", "w").write(sys.argv[1] + os.environ["E"] + open("d/f").read() + "\\n")"""
LEFT = {
    "files": {"d/f": "c"},
    "args": ["a"],
    "env": {"E": "b"},
    "tests": [{"output": "1", "output_files": {"o": "abc"}}],
}
PROGRAM = {"checker": {"name": "program", "source": "int main() {}"}}
PARTLY = "a, b = map(int, input().split())\nprint(3)"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, docker_engine: None) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("code"), sandbox_slots=1, pool_workers=1) as running:
        yield running


def fenced(source: str, language: str = "python") -> str:
    return f"<think>Here is my plan.</think>\n```{language}\n{source}\n```\nDone."


def component(service: LiveService, completion: str, params: dict[str, Any]) -> dict[str, Any]:
    verifiers = [{"name": "code", "params": params}]
    items = [{"id": "a", "completion": completion, "verifiers": verifiers}]
    found: dict[str, Any] = service.score({"items": items})["results"][0]["components"]["code"]
    return found


@pytest.mark.parametrize(
    ("completion", "params", "verdict", "score"),
    [
        pytest.param(fenced("def add(a, b): return a + b"), ADD, "correct", 1.0, id="function"),
        pytest.param(fenced("def add(a, b): return a - b"), ADD, "wrong_answer", 0.0, id="differs"),
        pytest.param(fenced("def sub(a, b): return 3"), ADD, "runtime_error", 0.0, id="other-name"),
        pytest.param(
            fenced("class Solution:\n    def add(self, a, b): return a + b"),
            METHOD,
            "correct",
            1.0,
            id="method",
        ),
        pytest.param(
            fenced("class Any:\n    def __eq__(self, o): return True\ndef add(a, b): return Any()"),
            ADD,
            "runtime_error",
            0.0,
            id="equal-to-everything",
        ),
        pytest.param(fenced(PARTLY), SUM, "wrong_answer", 0.0, id="all-or-nothing"),
        pytest.param(
            fenced(PARTLY), SUM | {"scoring": "fraction"}, "wrong_answer", 0.5, id="fraction"
        ),
        pytest.param(
            fenced("print(0.3333334)"),
            {"tests": [{"output": "0.33333333"}], "checker": {"name": "floats", "abs": 1e-6}},
            "correct",
            1.0,
            id="floats",
        ),
        pytest.param("I cannot solve this.", SUM, "no_answer", 0.0, id="prose"),
        pytest.param("", SUM, "no_answer", 0.0, id="empty"),
        pytest.param(
            "<think>```python\nprint(sum(map(int, input().split())))\n```",
            SUM,
            "no_answer",
            0.0,
            id="only-thought",
        ),
        pytest.param(
            fenced("int main( {", "cpp"),
            SUM | {"language": "cpp"},
            "compile_error",
            0.0,
            id="does-not-compile",
        ),
        pytest.param(fenced(LEAVES), LEFT, "correct", 1.0, id="surroundings-and-output-file"),
        pytest.param(fenced("print(1)"), LEFT, "wrong_answer", 0.0, id="no-output-file"),
        pytest.param(
            fenced(LEAVES.replace("argv", "path")),
            LEFT,
            "wrong_answer",
            0.0,
            id="other-file",
        ),
        pytest.param(fenced("print(3); exit(1)"), SUM, "runtime_error", 0.0, id="exit-status"),
    ],
)
def test_a_program_gets_its_verdict(
    service: LiveService, completion: str, params: dict[str, Any], verdict: str, score: float
) -> None:
    found = component(service, completion, params)
    assert (found["verdict"], found["score"]) == (verdict, score), found


def test_a_program_that_comes_again_is_not_compiled_again_and_the_figures_say_so(
    service: LiveService,
) -> None:
    figures = ("rulegrade_compilations_total", "rulegrade_compilations_reused_total")
    before = [service.metric(name) for name in figures]
    for expected in ("3", "4"):
        params = {"language": "c", "tests": [{"output": expected}]}
        component(service, fenced('#include <stdio.h>\nint main() { puts("3"); }', "c"), params)
    assert [service.metric(name) for name in figures] == [before[0] + 1, before[1] + 1]


def test_a_program_over_a_limit_is_counted_by_the_limit(service: LiveService) -> None:
    name = 'rulegrade_sandbox_kills_total{reason="time"}'
    before = service.metric(name)
    limits = {"limits": {"cpu_s": 0.2, "wall_s": 5.0}}
    found = component(service, fenced("while True: pass"), SUM | limits)
    assert (found["verdict"], service.metric(name)) == ("time_limit_exceeded", before + 1)


def test_details_count_the_tests_and_show_where_it_failed(service: LiveService) -> None:
    found = component(service, fenced(PARTLY), SUM)
    assert (found["details"]["passed"], found["details"]["total"]) == (1, 2)
    assert found["reason"] == "test_1_wrong_answer"
    assert found["details"]["tests"][1]["stdout_tail"] == "3\n"
    assert "4" not in str(found["details"]["tests"][1]["stdout_tail"])


@pytest.mark.parametrize(
    ("params", "field"),
    [
        pytest.param({}, "tests", id="no-tests"),
        pytest.param({"tests": []}, "tests", id="empty-tests"),
        pytest.param({"tests": [{"outptu": "1"}]}, "tests.0.output", id="typo"),
        pytest.param(SUM | {"language": "cobol"}, "language", id="language"),
        pytest.param(SUM | {"limits": {"cpu_s": 1e9}}, "limits.cpu_s", id="limit"),
        pytest.param(SUM | {"checker": {"name": "vibes"}}, "checker", id="checker"),
        pytest.param(SUM | {"kind": "function"}, "", id="kind-and-tests-differ"),
        pytest.param(ADD | {"entry_point": "os.system('x')"}, "entry_point", id="no-name"),
        pytest.param({"tests": [{"output": "1", "weight": 0}]}, "", id="nothing-counts"),
        pytest.param(SUM | {"files": {"../x": ""}}, "files", id="file-outside"),
        pytest.param(SUM | {"files": {"main.py": ""}}, "", id="name-of-the-program"),
        pytest.param(SUM | {"args": ["\0"]}, "args", id="nul-in-argument"),
        pytest.param(SUM | {"env": {"=": ""}}, "env", id="name-of-a-variable"),
        pytest.param(
            {"tests": [{"output": "", "output_files": {"/x": ""}}]}, "", id="output-outside"
        ),
        pytest.param(LEFT | PROGRAM, "", id="output-file-for-a-checker-program"),
        pytest.param(SUM | {"limits": {"disk_mb": 10_000}}, "limits.disk_mb", id="disk"),
    ],
)
def test_parameters_that_cannot_be_judged_are_refused_by_name(
    service: LiveService, params: dict[str, Any], field: str
) -> None:
    verifiers = [{"name": "code", "params": params}]
    body = {"items": [{"id": "a", "completion": "x", "verifiers": verifiers}]}
    answer = httpx.post(f"{service.url}/v1/rewards", json=body)
    assert answer.status_code == 422
    path = "items.0.verifiers.0.params" + (f".{field}" if field else "")
    assert answer.json()["problems"][0]["field"] == path

"""Test code and interactors over HTTP: what the `code` verifier takes, finds and refuses."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.live_service import LiveService, live_service

pytestmark = pytest.mark.usefixtures("docker_engine")

ADD = "def add(a, b):\n    return a + b\n"
ASSERTS = {"kind": "assert", "test_code": "assert add(1, 2) == 3\nassert add(2, 2) == 4"}
CHECK = {
    "kind": "assert",
    "entry_point": "add",
    "test_code": "def check(candidate):\n    assert candidate(1, 2) == 3",
}
SUITE = {
    "kind": "unittest",
    "files": {"cases.py": "CASES = [(1, 2, 3), (2, 2, 4)]"},
    "test_code": (
        "import unittest\nfrom adder import add\nfrom cases import CASES\n"
        "class AddTest(unittest.TestCase):\n    def test_cases(self):\n"
        "        for a, b, c in CASES:\n            self.assertEqual(add(a, b), c)\n"
    ),
}
PYTEST = {
    "kind": "pytest",
    "test_code": "from adder import add\ndef test_a():\n    assert add(1, 2) == 3",
}
CALLS = {"kind": "function", "entry_point": "add", "tests": [{"args": [1, 2], "expected": 3}]}
CPP, JAVASCRIPT = CALLS | {"language": "cpp"}, CALLS | {"language": "javascript"}
NAMED = [{"kwargs": {"a": 1, "b": 2}, "expected": 3}]
ECHO = {
    "tests": [{"input": "42", "output": ""}],
    "checker": {
        "name": "interactor",
        "language": "python",
        "source": "n = open('input.txt').read()\nprint(n, flush=True)\nexit(input() != n)",
    },
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, docker_engine: None) -> Iterator[LiveService]:
    folder = tmp_path_factory.mktemp("kinds")
    with live_service(folder, sandbox_slots=1, pool_workers=1) as running:
        yield running


def scored(service: LiveService, program: str, params: dict[str, Any]) -> dict[str, Any]:
    verifiers = [{"name": "code", "params": params}]
    items = [
        {
            "id": "a",
            "completion": f"```{params.get('language', 'python')}\n{program}\n```",
            "verifiers": verifiers,
        }
    ]
    found: dict[str, Any] = service.score({"items": items})["results"][0]
    return found


@pytest.mark.parametrize(
    ("program", "params", "verdict", "score"),
    [
        pytest.param(ADD, ASSERTS, "correct", 1.0, id="assert"),
        pytest.param(ADD, CHECK, "correct", 1.0, id="check"),
        pytest.param(ADD, SUITE, "correct", 1.0, id="unittest"),
        pytest.param(ADD, PYTEST, "correct", 1.0, id="pytest"),
        pytest.param("def add(a, b): return 3", ASSERTS, "wrong_answer", 0.0, id="wrong"),
        pytest.param(
            "def add(a, b): return 3",
            ASSERTS | {"scoring": "fraction"},
            "wrong_answer",
            0.5,
            id="fraction",
        ),
        pytest.param("def sub(a, b): return 3", SUITE, "runtime_error", 0.0, id="other-name"),
        pytest.param(
            "from unittest.mock import ANY\ndef add(a, b): return ANY",
            SUITE,
            "wrong_answer",
            0.0,
            id="equal-to-everything",
        ),
        pytest.param("import os\nos._exit(0)", SUITE, "runtime_error", 0.0, id="early-exit"),
        pytest.param("int add(int a, int b) { return a + b; }", CPP, "correct", 1.0, id="cpp"),
        pytest.param("bool add(int, int) { return 1; }", CPP, "wrong_answer", 0.0, id="cpp-wrong"),
        pytest.param(
            "process.exit(0); function add(a, b) {}", JAVASCRIPT, "runtime_error", 0.0, id="js-exit"
        ),
        pytest.param("print(input())", ECHO, "correct", 1.0, id="interactor"),
        pytest.param("print(41)", ECHO, "wrong_answer", 0.0, id="interactor-refuses"),
    ],
)
def test_a_program_gets_its_verdict(
    service: LiveService, program: str, params: dict[str, Any], verdict: str, score: float
) -> None:
    found = scored(service, program, params)["components"]["code"]
    assert (found["verdict"], found["score"]) == (verdict, score), found


def test_details_name_every_test_and_say_where_the_code_ran(service: LiveService) -> None:
    params = ASSERTS | {"scoring": "fraction"}
    details = scored(service, "def add(a, b): return 3", params)["components"]["code"]["details"]
    assert (details["trust"], details["passed"], details["total"]) == ("two_box", 1, 2)
    assert details["tests"] == [
        {"name": "line 1", "verdict": "correct", "message": ""},
        {"name": "line 2", "verdict": "wrong_answer", "message": "AssertionError"},
    ]


def test_test_code_that_fails_by_itself_is_an_error_and_no_score(service: LiveService) -> None:
    found = scored(service, ADD, {"kind": "assert", "test_code": "1 / 0\nassert add(1, 2) == 3"})
    assert (found["status"], found["reward"]) == ("error", None)
    assert found["error"]["code"] == "checker_failed"


@pytest.mark.parametrize(
    ("params", "field"),
    [
        pytest.param({"kind": "assert"}, "test_code", id="no-test-code"),
        pytest.param({"kind": "assert", "test_code": "assert ("}, "test_code", id="no-python"),
        pytest.param({"kind": "assert", "test_code": "# none"}, "test_code", id="no-test"),
        pytest.param(CHECK | {"entry_point": None}, "test_code", id="nothing-calls-check"),
        pytest.param(ASSERTS | {"language": "cpp"}, "test_code", id="language"),
        pytest.param(ASSERTS | ECHO | {"kind": "stdin"}, "test_code", id="kind"),
        pytest.param(ASSERTS | {"tests": [{"output": ""}]}, "", id="tests-too"),
        pytest.param(ASSERTS | {"scoring": "groups"}, "", id="groups"),
        pytest.param(CALLS | {"language": "c"}, "", id="function-of-c"),
        pytest.param(CPP | {"tests": NAMED}, "", id="named-arguments-in-cpp"),
        pytest.param(CALLS | {"args": ["x"]}, "", id="function-with-a-command-line"),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(
    service: LiveService, params: dict[str, Any], field: str
) -> None:
    verifiers = [{"name": "code", "params": params}]
    body = {"items": [{"id": "a", "completion": "x", "verifiers": verifiers}]}
    answer = httpx.post(f"{service.url}/v1/rewards", json=body)
    assert answer.status_code == 422, answer.text
    path = "items.0.verifiers.0.params" + (f".{field}" if field else "")
    assert path in [problem["field"] for problem in answer.json()["problems"]], answer.text

"""What each checker takes for equal."""

import pytest

from sandbox import parse_checker
from tests.sandbox.sandbox_cases import Row, read

CASES = [pytest.param(row, id=row["id"]) for row in read("code_checkers.jsonl")]


@pytest.mark.parametrize("row", CASES)
def test_checker_accepts_what_it_promises(row: Row) -> None:
    checker = parse_checker(row["checker"])
    expected, got = row["expected"].encode(), row["got"].encode()
    assert checker.accepts(expected, got) is row["accepted"], row["why"]


@pytest.mark.parametrize(
    ("params", "named"),
    [
        pytest.param({"name": "fuzzy"}, "tokens", id="unknown-name"),
        pytest.param({"name": ["tokens"]}, "name", id="name-not-a-string"),
        pytest.param({"name": "tokens", "abs": 1e-3}, "tokens", id="option-of-another-checker"),
        pytest.param({"name": "floats", "abs": True}, "abs", id="bool-as-number"),
        pytest.param({"name": "floats", "rel": float("nan")}, "rel", id="nan-tolerance"),
        pytest.param({"name": "floats", "abs": -1}, "abs", id="negative-tolerance"),
        pytest.param({"case_insensitive": 1}, "case_insensitive", id="number-as-bool"),
        pytest.param({"name": "any_of", "outputs": "4"}, "outputs", id="string-as-list"),
    ],
)
def test_a_bad_checker_is_refused_by_name(params: Row, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse_checker(params)

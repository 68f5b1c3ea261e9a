"""`verify` as a library: the same verdict from threads, async code, forks and a busy machine."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_service.verifiers.math import (
    Answer,
    UnreadableReference,
    check_reference,
    verify,
)

PAIRS = [
    (r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt{6}}", Answer.EQUAL),
    (r"\sqrt{2}+\sqrt{3}", r"3.1462643699419723", Answer.EQUAL),
    (r"\sin x", r"\sin x+10^{-40}", Answer.DIFFERENT),
    (r"(x+1)^{10}", r"(1+x)^{9}(x+1)", Answer.EQUAL),
    (r"[0,1)\cup\{2\}", r"0\le x<1 \text{ or } x=3", Answer.DIFFERENT),
    (r"\int x\,dx", r"\frac{x^2}{2}+\frac{1}{7}", Answer.DIFFERENT),
]


def verdicts(_: int = 0) -> list[Answer]:
    return [verify(gold, answer).answer for gold, answer, _ in PAIRS]


EXPECTED = [answer for *_, answer in PAIRS]


def test_many_threads_agree() -> None:
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(verdicts, range(64)):
            assert found == EXPECTED


async def test_async_code_agrees() -> None:
    found = await asyncio.gather(*(asyncio.to_thread(verdicts) for _ in range(8)))
    assert all(answers == EXPECTED for answers in found)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_processes_agree() -> None:
    verdicts()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as children:
        for found in children.map(verdicts, range(4)):
            assert found == EXPECTED


def test_a_busy_machine_changes_no_verdict() -> None:
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(2 * (os.cpu_count() or 1))
    ]
    try:
        found = [verdicts() for _ in range(20)]
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert found == [EXPECTED] * 20


@pytest.mark.parametrize(
    "gold", ["", " ", "{}", r"\frac{1}{", "x" * 5000, "1/2)", r"\frac{}{}", "?", "1=", "x+", "-"]
)
def test_an_unreadable_reference_is_refused(gold: str) -> None:
    with pytest.raises(UnreadableReference):
        check_reference(gold)


@given(st.fractions(max_denominator=10**6), st.integers(min_value=1, max_value=50))
def test_a_fraction_equals_its_multiples_and_not_its_neighbours(
    value: Fraction, scale: int
) -> None:
    gold = rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    assert verify(gold, f"{value.numerator * scale}/{value.denominator * scale}").is_equal
    assert not verify(gold, f"{value.numerator + 1}/{value.denominator}").is_equal
    assert not verify(gold, str(value.numerator * value.denominator + 2)).is_equal


@given(st.lists(st.integers(min_value=-9, max_value=9), min_size=1, max_size=6))
def test_a_polynomial_equals_any_order_of_its_terms(factors: list[int]) -> None:
    terms = [f"({factor})x^{{{power}}}" for power, factor in enumerate(factors)]
    assert verify("+".join(terms), "+".join(reversed(terms))).is_equal
    assert not verify("+".join(terms), "+".join([*terms, "1"])).is_equal


@given(st.text(max_size=60))
def test_no_text_makes_it_raise_or_earns_by_chance(answer: str) -> None:
    if verify(r"8675309", answer).is_equal:
        assert any(character.isdigit() for character in answer)

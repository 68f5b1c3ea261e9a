"""Divergences from a teacher, against values that TRL's GKD gives for the same logits."""

import pytest

pytest.importorskip("torch", reason="needs torch: python3 dev.py test gets it")

import torch

from grpo_trainer.distill import divergence, likeliest, stored_divergence

TEACHER = torch.tensor([2.0, 1, 0, -1], dtype=torch.float64)
STUDENT = torch.tensor([1.0, 1, 0, 0], dtype=torch.float64)


@pytest.mark.parametrize(
    ("temperature", "mix", "expected"),
    [
        pytest.param(1.0, 0.0, 0.178074826125, id="forward"),
        pytest.param(1.0, 1.0, 0.202722251853, id="reverse"),
        pytest.param(1.0, 0.1, 0.016059691927, id="jensen-shannon-0.1"),
        pytest.param(1.0, 0.5, 0.045839994641, id="jensen-shannon-0.5"),
        pytest.param(1.0, 0.9, 0.017707150302, id="jensen-shannon-0.9"),
        pytest.param(2.0, 0.0, 0.056644447958, id="forward-warm"),
        pytest.param(2.0, 1.0, 0.058884841357, id="reverse-warm"),
    ],
)
def test_divergence(temperature: float, mix: float, expected: float) -> None:
    found = divergence(STUDENT, TEACHER, temperature=temperature, mix=mix)
    assert found.item() == pytest.approx(expected, abs=1e-11)


def test_the_stored_form_is_a_lower_bound_that_k_closes() -> None:
    whole = divergence(STUDENT, TEACHER).item()
    found = [stored_divergence(STUDENT, likeliest(TEACHER, k)).item() for k in (1, 2, 3)]
    assert found[1] == pytest.approx(0.164849968601, abs=1e-11)
    assert found == sorted(found)
    assert found[2] == pytest.approx(whole, abs=1e-11)  # three and the tail are all four

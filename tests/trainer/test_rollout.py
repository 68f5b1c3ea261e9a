"""Sampling with a cache says what one forward over the whole sequence says."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs torch: python3 dev.py test gets it")

import torch

from grpo_trainer.rollout import (
    Rollout,
    Sampling,
    completion_logps,
    concatenate,
    sample,
)
from tests.trainer.worlds_for_tests import TOKENIZER, policy

PROMPTS = ["1+2=", "7=", "34+56+78=", "9"]
TOLERANCE = 1e-4


def rollout(prompts: list[str] = PROMPTS, *, model: Any = None, **options: Any) -> Rollout:
    sampling = Sampling(**{"max_new_tokens": 7, **options})
    generator = torch.Generator().manual_seed(5)
    return sample(model or policy(), TOKENIZER, prompts, sampling=sampling, generator=generator)


def difference(one: Rollout, logps: Any) -> float:
    return float(((one.old - logps) * one.mask).abs().max())


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_the_recorded_log_probabilities_are_those_of_the_training_forward(
    temperature: float,
) -> None:
    drawn = rollout(PROMPTS * 4, temperature=temperature)
    with torch.no_grad():
        logps, entropy = completion_logps(policy(), drawn, temperature=temperature)
    assert difference(drawn, logps) < TOLERANCE
    assert (entropy > 0).all()


def test_neither_neighbours_nor_padding_change_a_log_probability() -> None:
    drawn = rollout(PROMPTS * 4)
    for row in range(len(drawn.texts)):
        alone = drawn.rows(torch.tensor([row]))
        width = alone.mask.shape[1]
        with torch.no_grad():
            logps, _ = completion_logps(policy(), alone, temperature=1.0)
        assert difference(alone, logps) < TOLERANCE
        assert torch.equal(alone.old[0], drawn.old[row, :width])


def test_rollouts_of_different_widths_stand_below_one_another() -> None:
    first, second = rollout(["1+2="], max_new_tokens=3), rollout(["7=", "34+56+78="])
    together = concatenate([first, second])
    with torch.no_grad():
        logps, _ = completion_logps(policy(), together, temperature=1.0)
    assert together.texts == [*first.texts, *second.texts]
    assert together.lengths.tolist() == [*first.lengths.tolist(), *second.lengths.tolist()]
    assert difference(together, logps) < TOLERANCE


def test_a_completion_ends_with_its_end_token_or_is_truncated() -> None:
    drawn = rollout(PROMPTS * 16, max_new_tokens=12)
    for row, length in enumerate(drawn.lengths.long().tolist()):
        ids = drawn.completion_ids[row, :length].tolist()
        assert drawn.truncated[row].item() is (ids[-1] != TOKENIZER.end_id)
        assert TOKENIZER.end_id not in ids[:-1]
        assert drawn.texts[row] == TOKENIZER.decode(ids)
    assert 0 < drawn.truncated.sum() < len(drawn.texts)


def test_the_same_generator_draws_the_same_completions() -> None:
    assert rollout().texts == rollout().texts


def test_top_p_draws_from_the_likeliest_tokens_alone() -> None:
    drawn = rollout(PROMPTS * 8, top_p=1e-6)
    with torch.no_grad():
        logps, _ = completion_logps(policy(), drawn, temperature=1e-4)
    assert float((logps * drawn.mask).min()) > -1e-3  # each was the likeliest at its place


def test_a_hugging_face_model_samples_what_its_forward_says(hub_directory: Path) -> None:
    from grpo_trainer.hf import load  # needs transformers, which the fixture asks for

    model, tokenizer = load(hub_directory)
    generator = torch.Generator().manual_seed(1)
    sampling = Sampling(max_new_tokens=7, temperature=0.8)
    drawn = sample(model, tokenizer, PROMPTS * 4, sampling=sampling, generator=generator)
    with torch.no_grad():
        logps, _ = completion_logps(model, drawn, temperature=0.8)
    assert difference(drawn, logps) < TOLERANCE
    assert tokenizer.encode("1+2=") == [1, 10, 2, 11]
    assert all(set(text) <= set("0123456789+=<pad>") for text in drawn.texts)

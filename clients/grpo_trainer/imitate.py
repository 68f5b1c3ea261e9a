"""
Supervised fine-tuning: the policy imitates completions, or a teacher's probabilities of them.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from grpo_trainer.distill import divergence
from grpo_trainer.policy import Policy, Tokenizer
from grpo_trainer.rollout import Rollout, completion_logits, completion_logps, left_padded

Pair = tuple[str, str]
"""A prompt and the completion to imitate."""


def as_rollout(tokenizer: Tokenizer, pairs: Sequence[Pair], *, device: str = "cpu") -> Rollout:
    """Lay out given completions as if they had been sampled; their log-probabilities are 0."""
    encoded = [tokenizer.encode(prompt) for prompt, _ in pairs]
    prompt_ids, prompt_mask = left_padded(encoded, tokenizer.pad_id)
    written = [[*tokenizer.encode(text), tokenizer.end_id] for _, text in pairs]
    width = max(map(len, written))
    ids = torch.tensor([one + [tokenizer.pad_id] * (width - len(one)) for one in written])
    mask = torch.tensor([[1.0] * len(one) + [0.0] * (width - len(one)) for one in written])
    return Rollout(
        prompt_ids=prompt_ids.to(device),
        prompt_mask=prompt_mask.to(device),
        completion_ids=ids.to(device),
        mask=mask.to(device),
        old=torch.zeros_like(mask, device=device),
        truncated=torch.zeros(len(pairs), dtype=torch.bool, device=device),
        texts=[text for _, text in pairs],
    )


def imitation_loss(policy: Policy, examples: Rollout) -> Tensor:
    """Mean negative log-probability of the completions' tokens."""
    lp, _ = completion_logps(policy, examples, temperature=1.0)  # (N, T)
    return -(lp * examples.mask).sum() / examples.mask.sum()


def distillation_loss(policy: Policy, teacher: Policy, examples: Rollout, mix: float) -> Tensor:
    """Mean divergence from the teacher's probabilities over the completions' tokens."""
    with torch.no_grad():
        told = completion_logits(teacher, examples)
    value = divergence(completion_logits(policy, examples), told, mix=mix)  # (N, T)
    return (value * examples.mask).sum() / examples.mask.sum()


class Imitator:
    """A policy and the optimizer of its fine-tuning, with a linear warm-up."""

    def __init__(
        self, policy: nn.Module, tokenizer: Tokenizer, *, learning_rate: float, warmup: int = 20
    ) -> None:
        self.policy, self.tokenizer = policy, tokenizer
        self._rate, self._warmup, self.steps = learning_rate, warmup, 0
        self._optimizer = torch.optim.AdamW(policy.parameters(), betas=(0.9, 0.99))

    def step(
        self, pairs: Sequence[Pair], *, teacher: Policy | None = None, mix: float = 0.0
    ) -> float:
        """Take one step towards `pairs`, or towards what a teacher says of them; the loss."""
        self.steps += 1
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * min(1.0, self.steps / self._warmup)
        device = str(next(self.policy.parameters()).device)
        examples = as_rollout(self.tokenizer, pairs, device=device)
        if teacher is None:
            loss = imitation_loss(self.policy, examples)
        else:
            loss = distillation_loss(self.policy, teacher, examples, mix)
        self._optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.policy.parameters(), 1.0)
        self._optimizer.step()
        return float(loss.detach())

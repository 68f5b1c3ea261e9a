"""
Sampling completions, and their log-probabilities as the behaviour policy saw them.

The ratio of GRPO compares the policy that is trained with the one that sampled, so the sampler
records log-probabilities at its own temperature, and `completion_logps` must find the same ones
with one forward over the whole sequence. `train.py` checks that in every step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from grpo_trainer.policy import Policy, Tokenizer


@dataclass(frozen=True, slots=True)
class Sampling:
    """How completions are drawn. R1: temperature 1 (0.7 in its last stage), no top-p."""

    max_new_tokens: int = 256
    temperature: float = 1.0
    top_p: float = 1.0
    """Share of probability that may be drawn. Below 1 for evaluation only: the recorded
    log-probabilities are those of the whole distribution."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """N completions; prompts of P columns padded on the left, completions of T on the right."""

    prompt_ids: Tensor  # (N, P) long
    prompt_mask: Tensor  # (N, P) float
    completion_ids: Tensor  # (N, T) long
    mask: Tensor  # (N, T) float, 1 on what the policy wrote, its end token included
    old: Tensor  # (N, T) float, log-probabilities when sampled
    truncated: Tensor  # (N,) bool, no end token within the limit
    texts: list[str]  # N

    @property
    def lengths(self) -> Tensor:
        """(N,) tokens written."""
        return self.mask.sum(dim=1)

    def rows(self, index: Tensor) -> "Rollout":
        """Return the completions at `index`, without the columns that none of them needs."""
        index = index.to(self.mask.device)
        width = max(1, int(self.mask[index].sum(dim=1).max()) if len(index) else 1)
        tensors = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "texts"}
        for name in ("completion_ids", "mask", "old"):
            tensors[name] = tensors[name][:, :width]
        return Rollout(**tensors, texts=[self.texts[row] for row in index.tolist()])


def concatenate(parts: Sequence[Rollout]) -> Rollout:
    """Put rollouts one below the other, in columns as wide as the widest."""
    p = max(part.prompt_ids.shape[1] for part in parts)
    t = max(part.completion_ids.shape[1] for part in parts)

    def stacked(name: str) -> Tensor:
        tensors = [getattr(part, name) for part in parts]
        if name == "truncated":
            return torch.cat(tensors)
        if name.startswith("prompt"):
            return torch.cat([F.pad(one, (p - one.shape[1], 0)) for one in tensors])
        return torch.cat([F.pad(one, (0, t - one.shape[1])) for one in tensors])

    names = [f.name for f in fields(Rollout) if f.name != "texts"]
    texts = [text for part in parts for text in part.texts]
    return Rollout(**{name: stacked(name) for name in names}, texts=texts)


def sample(
    policy: Policy,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    *,
    sampling: Sampling,
    generator: torch.Generator,
) -> Rollout:
    """Draw one completion for each of N prompts, all in step, with a key-value cache."""
    ids, prompt_mask = left_padded([tokenizer.encode(text) for text in prompts], tokenizer.pad_id)
    ids, prompt_mask = ids.to(generator.device), prompt_mask.to(generator.device)
    n, p = ids.shape
    mask = prompt_mask
    alive = torch.ones(n, dtype=torch.bool, device=ids.device)
    drawn: list[Tensor] = []
    logps: list[Tensor] = []
    with torch.no_grad():
        cache = policy.new_cache(n, p + sampling.max_new_tokens)
        logits = policy(ids, mask, cache=cache, keep=1)[:, -1]  # (N, V)
        while True:
            token, logp = draw(logits, sampling, generator)  # (N,), (N,)
            token = torch.where(alive, token, tokenizer.pad_id)
            mask = torch.cat([mask, alive.to(mask.dtype).unsqueeze(1)], dim=1)
            drawn.append(token)
            logps.append(torch.where(alive, logp, 0.0))
            alive = alive & (token != tokenizer.end_id)
            if len(drawn) == sampling.max_new_tokens or not alive.any():
                break
            logits = policy(token.unsqueeze(1), mask, cache=cache, keep=1)[:, -1]
    completion_ids, written = torch.stack(drawn, dim=1), mask[:, p:]
    return Rollout(
        prompt_ids=ids,
        prompt_mask=prompt_mask,
        completion_ids=completion_ids,
        mask=written,
        old=torch.stack(logps, dim=1),
        truncated=alive,
        texts=decoded(tokenizer, completion_ids, written),
    )


def draw(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw a token of every row; with its log-probability at the sampling temperature."""
    logps = F.log_softmax(logits / sampling.temperature, dim=-1)  # (N, V)
    p = logps.exp()
    if sampling.top_p < 1:
        ordered, order = p.sort(dim=-1, descending=True)
        before = ordered.cumsum(dim=-1) - ordered  # the likeliest token is always kept
        p = p.masked_fill((before >= sampling.top_p).gather(-1, order.argsort(dim=-1)), 0.0)
    token = torch.multinomial(p, 1, generator=generator)  # (N, 1)
    return token.squeeze(1), logps.gather(-1, token).squeeze(1)


def completion_logps(
    policy: Policy, rollout: Rollout, *, temperature: float
) -> tuple[Tensor, Tensor]:
    """Log-probability (N, T) of every completion token, and the entropy (N, T) it was drawn at."""
    logits = completion_logits(policy, rollout)
    logps = F.log_softmax(logits / temperature, dim=-1)  # (N, T, V)
    entropy = -(logps.detach().exp() * logps.detach()).sum(dim=-1)
    return logps.gather(-1, rollout.completion_ids.unsqueeze(-1)).squeeze(-1), entropy


def completion_logits(policy: Policy, rollout: Rollout) -> Tensor:
    """(N, T, V): what the policy says before each completion token, in one forward."""
    ids = torch.cat([rollout.prompt_ids, rollout.completion_ids], dim=1)[:, :-1]
    mask = torch.cat([rollout.prompt_mask, rollout.mask], dim=1)[:, :-1]
    return policy(ids, mask, keep=rollout.completion_ids.shape[1])


def left_padded(sequences: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """(N, P) ids and (N, P) float mask."""
    width = max(map(len, sequences))
    ids = [[pad_id] * (width - len(one)) + list(one) for one in sequences]
    mask = [[0.0] * (width - len(one)) + [1.0] * len(one) for one in sequences]
    return torch.tensor(ids), torch.tensor(mask)


def decoded(tokenizer: Tokenizer, ids: Tensor, mask: Tensor) -> list[str]:
    """Return the text of every row."""
    lengths = mask.sum(dim=1).long().tolist()
    rows = zip(ids.tolist(), lengths, strict=True)
    return [tokenizer.decode(row[:length]) for row, length in rows]

"""
From rewards to advantages: what one completion earned beyond the others of its group.

`rewards` and `scored` are (B, G): B prompts, G completions each. A completion that the service
could not score (`scored` false) leaves the baseline of its group and has advantage 0, whatever
number stands in `rewards`. A group with fewer than two scored completions teaches nothing: 0.
"""

import torch
from torch import Tensor


def dr_grpo(rewards: Tensor, scored: Tensor) -> Tensor:
    """r - mean of the group (Dr.GRPO); the first half of all the others."""
    n = scored.sum(dim=1, keepdim=True)  # (B, 1)
    mean = torch.where(scored, rewards, 0.0).sum(dim=1, keepdim=True) / n.clamp(min=1)
    return torch.where(scored & (n > 1), rewards - mean, 0.0)


def grpo(rewards: Tensor, scored: Tensor, *, ddof: int = 1, eps: float = 1e-4) -> Tensor:
    """(r - mean) / (std + eps) of the group (DeepSeekMath, eq. 3).

    The papers say only "std". `ddof` 1 is Bessel's, as in TRL and verl; 0 the population's. `eps`
    is 1e-4 in TRL and 1e-6 in verl.
    """
    centred = dr_grpo(rewards, scored)
    n = scored.sum(dim=1, keepdim=True)  # (B, 1)
    variance = centred.square().sum(dim=1, keepdim=True) / (n - ddof).clamp(min=1)
    return centred / (variance.sqrt() + eps)


def batch_std(rewards: Tensor, scored: Tensor, *, eps: float = 1e-4) -> Tensor:
    """(r - mean of the group) / (Bessel's std over the whole batch + eps)."""
    known = rewards[scored]
    std = known.std() if known.numel() > 1 else torch.ones_like(rewards[0, 0])
    return dr_grpo(rewards, scored) / (std + eps)


def rloo(rewards: Tensor, scored: Tensor) -> Tensor:
    """r - mean of the *other* completions of the group = n/(n-1) (r - mean)."""
    n = scored.sum(dim=1, keepdim=True)  # (B, 1)
    return dr_grpo(rewards, scored) * n / (n - 1).clamp(min=1)


def opo(rewards: Tensor, scored: Tensor, lengths: Tensor) -> Tensor:
    """r - the group's mean weighted by length, the baseline of least variance (OPO).

    lengths (B, G): tokens of each completion.
    """
    weights = torch.where(scored, lengths, 0).to(rewards.dtype)
    total = weights.sum(dim=1, keepdim=True).clamp(min=1)
    mean = (weights * torch.where(scored, rewards, 0.0)).sum(dim=1, keepdim=True) / total
    is_group = scored.sum(dim=1, keepdim=True) > 1
    return torch.where(scored & is_group, rewards - mean, 0.0)


def reinforce_pp(
    rewards: Tensor, scored: Tensor, lengths: Tensor, *, baseline: bool = False, eps: float = 1e-8
) -> Tensor:
    """Whiten over all tokens of the batch (REINFORCE++ with discount 1).

    Every token of a completion carries its reward, so a completion counts as often as it has
    tokens. With `baseline` the group's mean is subtracted first (REINFORCE++-baseline).
    """
    values = dr_grpo(rewards, scored) if baseline else rewards
    values = torch.where(scored, values, 0.0)
    tokens = torch.where(scored, lengths, 0).to(rewards.dtype)
    total = tokens.sum()
    mean = (tokens * values).sum() / total.clamp(min=1)
    variance = (tokens * (values - mean).square()).sum() / (total - 1).clamp(min=1)
    return torch.where(scored, (values - mean) * torch.rsqrt(variance + eps), 0.0)


def advantages(
    name: str,
    rewards: Tensor,
    scored: Tensor,
    lengths: Tensor,
    *,
    ddof: int = 1,
    eps: float = 1e-4,
) -> Tensor:
    """Compute the advantages called `name`; (B, G). ValueError names the known ones."""
    rewards = torch.where(scored, rewards, 0.0)  # NaN would pass through every product with 0
    match name:
        case "grpo":
            return grpo(rewards, scored, ddof=ddof, eps=eps)
        case "dr_grpo":
            return dr_grpo(rewards, scored)
        case "batch_std":
            return batch_std(rewards, scored, eps=eps)
        case "rloo":
            return rloo(rewards, scored)
        case "opo":
            return opo(rewards, scored, lengths)
        case "reinforce_pp" | "reinforce_pp_baseline":
            return reinforce_pp(rewards, scored, lengths, baseline=name.endswith("baseline"))
    raise ValueError(f"unknown advantages {name!r}; known: {', '.join(ADVANTAGES)}")


ADVANTAGES = (
    "grpo",
    "dr_grpo",
    "batch_std",
    "rloo",
    "opo",
    "reinforce_pp",
    "reinforce_pp_baseline",
)


def informative(rewards: Tensor, scored: Tensor) -> Tensor:
    """(B,) bool: groups whose scored rewards differ. Dynamic sampling (DAPO) drops the others."""
    low = torch.where(scored, rewards, torch.inf).amin(dim=1)
    high = torch.where(scored, rewards, -torch.inf).amax(dim=1)
    return high > low


def overlong_penalty(lengths: Tensor, *, max_length: int, buffer: int) -> Tensor:
    """DAPO's soft punishment (eq. 13): 0 until `max_length` - `buffer`, then linear to -1."""
    return ((max_length - buffer - lengths) / buffer).clamp(min=-1.0, max=0.0)

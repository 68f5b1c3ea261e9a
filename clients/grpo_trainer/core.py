"""
From advantages to the loss: pure functions of tensors, no model, no state.

N completions, T positions. `lp`, `old`, `ref` (N, T) are the log-probabilities of the sampled
tokens under the policy that is trained, the behaviour policy that sampled them, and the reference
policy. `mask` (N, T) is 1 on the tokens the policy wrote, its end token included.

A loss here is a sum of per-token losses times `token_weights`. The weights are computed once, for
a whole mini-batch, so that the sum over any split into micro-batches is the same loss with the
same gradient. To average within micro-batches instead is the best-known bug of this family.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

AGGREGATIONS = ("sequence_mean", "token_mean", "constant", "sequence_sum")
KL_ESTIMATORS = ("k1", "k2", "k3")
POLICY_LOSSES = ("grpo", "gspo", "cispo")


def token_weights(
    mask: Tensor, aggregation: str, *, max_length: int = 0, totals: Tensor | None = None
) -> Tensor:
    """Return the share of every token in the loss; (N, T), in the dtype of `mask`.

    sequence_mean  1/(B n_i)      GRPO, eq. 3 of DeepSeekMath; each completion counts alike
    token_mean     1/sum n_i      DAPO; each token counts alike
    constant       1/(B L_max)    Dr.GRPO; `max_length` is L_max
    sequence_sum   1/B            the whole-output form that the R1 paper prints

    B counts the completions that have a token in `mask`. `totals` (2,) is (B, sum n_i) of the
    whole mini-batch where `mask` is one rank's part of it.
    """
    lengths = mask.sum(dim=1, keepdim=True)  # (N, 1)
    b, n = (totals if totals is not None else batch_totals(mask)).clamp(min=1)
    match aggregation:
        case "sequence_mean":
            return mask / (b * lengths.clamp(min=1))
        case "token_mean":
            return mask / n
        case "constant":
            if max_length < 1:
                raise ValueError("constant aggregation needs max_length")
            return mask / (b * max_length)
        case "sequence_sum":
            return mask / b
    raise ValueError(f"unknown aggregation {aggregation!r}; known: {', '.join(AGGREGATIONS)}")


def batch_totals(mask: Tensor) -> Tensor:
    """(2,): completions with a token, tokens. What `token_weights` divides by."""
    lengths = mask.sum(dim=1)
    return torch.stack([(lengths > 0).to(mask.dtype).sum(), lengths.sum()])


def token_ratio(lp: Tensor, old: Tensor) -> Tensor:
    """pi/pi_old of every token (PPO, GRPO)."""
    return (lp - old).exp()


def sequence_ratio(lp: Tensor, old: Tensor, mask: Tensor) -> Tensor:
    """exp of the mean log ratio of a completion, on each of its tokens (GSPO)."""
    mean = ((lp - old) * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return mean.exp().expand_as(lp)


def clipped_surrogate(
    ratio: Tensor, advantage: Tensor, *, low: float, high: float, dual: float | None = None
) -> Tensor:
    """-min(ratio A, clip(ratio, 1 - low, 1 + high) A) of every token.

    `low` and `high` may be 1 or more: R1 prints epsilon = 10, whose lower bound is never active.
    `dual` c > 1 bounds the loss of bad tokens that became much likelier: A < 0 loses at most -c A.
    """
    clipped = ratio.clamp(1 - low, 1 + high)
    loss = -torch.minimum(ratio * advantage, clipped * advantage)
    if dual is None:
        return loss
    return torch.where(advantage < 0, torch.minimum(loss, -dual * advantage), loss)


def is_clipped(
    ratio: Tensor, advantage: Tensor, *, low: float, high: float, dual: float | None = None
) -> Tensor:
    """Bool: tokens from which `clipped_surrogate` takes no gradient."""
    above = (ratio > 1 + high) & (advantage > 0)
    below = (ratio < 1 - low) & (advantage < 0)
    return above | below | ((advantage < 0) & (ratio > (torch.inf if dual is None else dual)))


def cispo(
    lp: Tensor, old: Tensor, advantage: Tensor, *, low: float = 0.0, high: float = 5.0
) -> Tensor:
    """-sg(clip(ratio, low, high)) A lp: the weight is clipped, every token keeps its gradient.

    The bounds are those of the ratio itself. TRL gives the upper one alone (5); verl means
    1 - low and 1 + high by the same names.
    """
    weight = (lp - old).exp().clamp(low, high).detach()
    return -weight * advantage * lp


def kl(lp: Tensor, ref: Tensor, *, estimator: str = "k3", limit: float | None = None) -> Tensor:
    """Estimate KL(pi || ref) on every token; `limit` is an upper bound (verl: 10, TRL: none).

    k1 = lp - ref; k2 = (lp - ref)^2 / 2; k3 = exp(ref - lp) - (ref - lp) - 1, never negative and
    without bias: the one of the papers.
    """
    match estimator:
        case "k1":
            value = lp - ref
        case "k2":
            value = (lp - ref).square() / 2
        case "k3":
            value = (ref - lp).exp() - (ref - lp) - 1
        case _:
            raise ValueError(f"unknown KL {estimator!r}; known: {', '.join(KL_ESTIMATORS)}")
    return value if limit is None else value.clamp(max=limit)


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised. The defaults are GRPO as in DeepSeekMath, without a KL term."""

    policy_loss: str = "grpo"
    """`grpo`: ratio of each token. `gspo`: of each completion. `cispo`: clipped weights."""
    clip_low: float = 0.2
    clip_high: float = 0.2
    """Epsilon below and above; DAPO's clip-higher is 0.2 and 0.28, GSPO's 3e-4 and 4e-4. For
    `cispo` the weight is held within 1 - clip_low and 1 + clip_high."""
    dual_clip: float | None = None
    """verl has 3.0; the papers none."""
    beta: float = 0.0
    """Weight of the KL term; R1 0.001, DeepSeekMath 0.04."""
    kl_estimator: str = "k3"
    kl_limit: float | None = None
    aggregation: str = "token_mean"
    max_length: int = 0
    """For aggregation `constant`."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss to call backward on, and (N, T) what to log about its tokens."""

    value: Tensor
    kl: Tensor
    """Estimate of policy from reference; 0 without a reference."""
    clipped: Tensor
    """Bool: gives no gradient because its ratio is clipped."""


def policy_loss(
    lp: Tensor,
    old: Tensor,
    ref: Tensor | None,
    advantage: Tensor,
    mask: Tensor,
    weights: Tensor,
    *,
    objective: Objective,
) -> Loss:
    """Return the loss of a micro-batch; `advantage` (N,), `weights` from the whole mini-batch."""
    o = objective
    a = advantage.unsqueeze(1)  # (N, 1)
    bounds = {"low": o.clip_low, "high": o.clip_high}
    match o.policy_loss:
        case "grpo":
            ratio = token_ratio(lp, old)
            per_token = clipped_surrogate(ratio, a, **bounds, dual=o.dual_clip)
        case "gspo":
            ratio = sequence_ratio(lp, old, mask)
            per_token = clipped_surrogate(ratio, a, **bounds, dual=o.dual_clip)
        case "cispo":
            ratio = token_ratio(lp, old)
            per_token = cispo(lp, old, a, low=1 - o.clip_low, high=1 + o.clip_high)
        case _:
            known = ", ".join(POLICY_LOSSES)
            raise ValueError(f"unknown policy loss {o.policy_loss!r}; known: {known}")
    divergence = torch.zeros_like(lp)
    if ref is not None:
        divergence = kl(lp, ref, estimator=o.kl_estimator, limit=o.kl_limit)
        per_token = per_token + o.beta * divergence
    clipped = is_clipped(ratio, a, **bounds, dual=o.dual_clip)
    return Loss((per_token * weights).sum(), divergence.detach(), clipped)


def pick(mask: Tensor, keep: Tensor) -> Tensor:
    """Return `mask` (N, T) without the completions that `keep` (N,) leaves out of the loss."""
    return mask * keep.unsqueeze(1).to(mask.dtype)

"""
Learning from a teacher's probabilities, token by token (Hinton et al. 2015).

R1 distils by imitation alone (`imitate.py`): its teacher's probabilities are not used. This is the
other half, for a teacher with the same vocabulary. Logits are (…, V); one divergence a position.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def divergence(
    student: Tensor, teacher: Tensor, *, temperature: float = 1.0, mix: float = 0.0
) -> Tensor:
    """KL(teacher || student) for `mix` 0, KL(student || teacher) for 1.

    Between them the generalised Jensen-Shannon divergence of GKD (Agarwal et al. 2024):
    mix KL(T || M) + (1 - mix) KL(S || M) with M = mix T + (1 - mix) S.
    """
    s = F.log_softmax(student / temperature, dim=-1)
    t = F.log_softmax(teacher / temperature, dim=-1)
    if mix == 0:
        return _kl(t, s)
    if mix == 1:
        return _kl(s, t)
    m = torch.logsumexp(torch.stack([t + math.log(mix), s + math.log(1 - mix)]), dim=0)
    return mix * _kl(t, m) + (1 - mix) * _kl(s, m)


@dataclass(frozen=True, slots=True)
class Likeliest:
    """The teacher's k likeliest tokens of every position; the rest is one bucket, the tail."""

    ids: Tensor  # (…, k) long
    logps: Tensor  # (…, k)
    tail: Tensor  # (…,) log-probability of all other tokens together


def likeliest(teacher: Tensor, k: int) -> Likeliest:
    """Return what of a teacher's logits is worth storing."""
    logps, ids = F.log_softmax(teacher, dim=-1).topk(k, dim=-1)
    return Likeliest(ids, logps, log_of_the_rest(logps))


def stored_divergence(student: Tensor, teacher: Likeliest) -> Tensor:
    """KL(teacher || student) over k tokens and the tail: at most the whole one, never negative.

    The sum over the k tokens alone is no divergence, and can fall while the student gets worse.
    """
    logps = F.log_softmax(student, dim=-1).gather(-1, teacher.ids)
    s = torch.cat([logps, log_of_the_rest(logps).unsqueeze(-1)], dim=-1)
    t = torch.cat([teacher.logps, teacher.tail.unsqueeze(-1)], dim=-1)
    return _kl(t, s)


def log_of_the_rest(logps: Tensor) -> Tensor:
    """log(1 - sum of probabilities), held above the smallest normal number."""
    rest = 1 - logps.exp().sum(dim=-1)
    return rest.clamp(min=torch.finfo(logps.dtype).tiny).log()


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return (p.exp() * (p - q)).sum(dim=-1)

"""
What samples say about a policy: pass@k, majority vote, best of n. Plain Python, no torch.

Estimators without bias over all subsets of the samples at hand; none draws with replacement.
"""

import math
from collections import Counter
from collections.abc import Sequence


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Chance that k of n samples, `correct` of them right, hold a right one (Chen et al. 2021).

    1 - C(n - c, k) / C(n, k). ValueError unless 1 <= k <= n.
    """
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} needs at least {k} samples, not {n}")
    return 1 - math.comb(n - correct, k) / math.comb(n, k)


def majority_vote(votes: Sequence[tuple[str | None, bool]]) -> float:
    """Chance that the most frequent answer is right (R1: cons@k), ties drawn by lot.

    `votes` are (answer, is it right); None does not vote. Without votes: 0.
    """
    cast = [(answer, right) for answer, right in votes if answer is not None]
    counts = Counter(answer for answer, _ in cast)
    if not counts:
        return 0.0
    most = max(counts.values())
    winners = [answer for answer, count in counts.items() if count == most]
    right = {answer for answer, is_right in cast if is_right}
    return sum(answer in right for answer in winners) / len(winners)


def best_of_n(rewards: Sequence[float], n: int) -> float:
    """Mean over all subsets of size n of their greatest reward.

    sum over i of r_(i) C(i - 1, n - 1) / C(N, n), rewards in ascending order.
    """
    if not 1 <= n <= len(rewards):
        raise ValueError(f"best of {n} needs at least {n} rewards, not {len(rewards)}")
    ordered = enumerate(sorted(rewards))
    return sum(r * math.comb(i, n - 1) for i, r in ordered) / math.comb(len(rewards), n)


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean over problems and its standard error; the error of one value is 0."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, 0.0
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, math.sqrt(variance / len(values))

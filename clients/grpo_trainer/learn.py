"""The gradient half of GRPO: one rollout, several mini-batches, each a clipped step."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grpo_trainer.config import Config
from grpo_trainer.core import batch_totals, policy_loss, token_weights
from grpo_trainer.ranks import Ranks
from grpo_trainer.rollout import Rollout, completion_logps

Stats = dict[str, float]


class DriftError(RuntimeError):
    """Rollout and training forward disagree about the same policy: a bug that would stay unseen."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """N completions to learn from."""

    rollout: Rollout
    advantage: Tensor  # (N,)
    mask: Tensor  # (N, T), 1 on the tokens in the loss
    ref: Tensor | None  # (N, T), log-probabilities under the reference policy


class Learner:
    """The policy and its optimizer; `updates` counts the mini-batches taken."""

    def __init__(self, config: Config, policy: nn.Module, ranks: Ranks) -> None:
        self.config, self.policy, self.ranks = config, policy, ranks
        self.optimizer = torch.optim.AdamW(
            policy.parameters(), betas=config.betas, weight_decay=config.weight_decay
        )
        seed = config.seed * 1000 + ranks.rank
        self.shuffling = torch.Generator().manual_seed(seed)
        self.updates = 0

    def learn(self, lesson: Lesson, *, learning_rate: float, is_on_policy: bool) -> Stats:
        """Take every mini-batch's step; means over them.

        Raises DriftError when the rollout is of this very policy and says something else.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        seen: list[Stats] = []
        drifts: list[float] = []
        for _ in range(self.config.epochs):
            order = torch.randperm(len(lesson.mask), generator=self.shuffling)
            for rows in order.tensor_split(self.config.minibatches):
                sums, count, drift = self._add_gradients(lesson, rows)
                drifts.append(drift)
                if len(drifts) == 1 and is_on_policy:
                    self._check_drift(drift)
                seen.append(self._take_step(sums, count))
        means = {name: sum(one[name] for one in seen) / len(seen) for name in seen[0]}
        return {**means, "drift": drifts[0], "learning_rate": learning_rate}

    def _add_gradients(self, lesson: Lesson, rows: Tensor) -> tuple[Tensor, float, float]:
        """Go forward and backward through one mini-batch, on all ranks together.

        Returns the sums (4,) of `_micro`, the number of tokens, and this rank's drift.
        """
        aggregation, length = self.config.objective.aggregation, self.config.objective.max_length
        mask = lesson.mask[rows]  # (n, T)
        totals = self.ranks.total(batch_totals(mask))  # (2,) of all ranks
        weights = token_weights(mask, aggregation, max_length=length, totals=totals)
        sums, drift = torch.zeros(4, dtype=mask.dtype, device=mask.device), 0.0
        self.optimizer.zero_grad()
        size = self.config.microbatch
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            more, difference = self._micro(lesson, rows[part], weights[part])
            sums = sums + more
            drift = drift if difference <= drift else difference  # max() would lose a NaN
        return self.ranks.total(sums), float(totals[1]), drift

    def _micro(self, lesson: Lesson, rows: Tensor, weights: Tensor) -> tuple[Tensor, float]:
        """Add the gradient of some completions; sums of loss, entropy, KL, clipping; drift."""
        rollout = lesson.rollout.rows(rows)
        t = rollout.mask.shape[1]  # up to the longest of these
        mask = lesson.mask[rows, :t]
        temperature = self.config.sampling.temperature
        lp, entropy = completion_logps(self.policy, rollout, temperature=temperature)  # (n, t)
        loss = policy_loss(
            lp,
            rollout.old,
            None if lesson.ref is None else lesson.ref[rows, :t],
            lesson.advantage[rows],
            rollout.mask,
            weights[:, :t],
            objective=self.config.objective,
        )
        loss.value.backward()
        sums = [(one * mask).sum() for one in (entropy, loss.kl, loss.clipped)]
        drift = ((lp.detach() - rollout.old).abs() * rollout.mask).max()
        return torch.stack([loss.value.detach(), *sums]), float(drift)

    def _check_drift(self, drift: float) -> None:
        if not drift < self.config.drift_limit:  # so that NaN is refused too
            raise DriftError(
                f"a log-probability differs by {drift:.2g} between rollout and training forward; "
                f"the limit is {self.config.drift_limit:.2g}"
            )

    def _take_step(self, sums: Tensor, tokens: float) -> Stats:
        self.updates += 1
        norm = 0.0
        if tokens:  # else nothing was scored, and the step would be the momentum's alone
            self.ranks.add_gradients(self.policy)
            weights = self.policy.parameters()
            norm = float(nn.utils.clip_grad_norm_(weights, self.config.max_gradient_norm))
            self.optimizer.step()
        loss, *of_tokens = sums.tolist()
        entropy, kl, clipped = (one / max(1.0, tokens) for one in of_tokens)
        means = {"entropy": entropy, "kl": kl, "clipped_share": clipped}
        return {"loss": loss, **means, "gradient_norm": norm}

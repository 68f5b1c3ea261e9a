"""
GRPO from top to bottom: sample groups, ask for rewards, compare within each group, update.

    rollout ──> rewards over HTTP ─┐ (in other threads, one request a chunk)
       │                           ▼
       └──> reference forward ──> advantages ──> mini-batches ──> policy

A step is one rollout with all the mini-batches that reuse it. Nothing in it is random but for two
generators and a position in the data. All are in the checkpoint, so that a resumed run on a CPU is
the uninterrupted one bit for bit.
"""

import copy
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from grpo_trainer.advantages import advantages, informative, overlong_penalty
from grpo_trainer.batch import Answered, Pending, Table, joined, stacked
from grpo_trainer.config import Config
from grpo_trainer.core import pick
from grpo_trainer.learn import Learner, Lesson, Stats
from grpo_trainer.policy import Tokenizer
from grpo_trainer.problems import Problem, at_position
from grpo_trainer.ranks import Ranks
from grpo_trainer.rewards import RewardRequests, Score
from grpo_trainer.rollout import Rollout, completion_logps, concatenate, sample


class Trainer:
    """One run. `step` and `position` say how far it is."""

    def __init__(
        self,
        config: Config,
        policy: nn.Module,
        tokenizer: Tokenizer,
        problems: Sequence[Problem],
        score: Score,
        *,
        ranks: Ranks | None = None,
    ) -> None:
        self.config, self.policy, self.tokenizer = config, policy, tokenizer
        self.problems, self.requests, self.ranks = problems, RewardRequests(score), ranks or Ranks()
        if config.prompts_per_step % (self.ranks.size * config.chunks):
            raise ValueError("prompts_per_step must be a multiple of ranks times chunks")
        self.learner = Learner(config, policy, self.ranks)
        self.reference = copy.deepcopy(policy) if config.objective.beta else None
        self.device = next(policy.parameters()).device
        seed = config.seed * 1000 + self.ranks.rank
        self.sampling = torch.Generator(self.device).manual_seed(seed)
        self.step = self.position = 0
        self.ahead: Pending | None = None
        """The next rollout, where one is sampled ahead."""

    def close(self) -> None:
        """End the threads that ask for rewards."""
        self.requests.close()

    def run_step(self) -> tuple[Stats, Answered]:
        """Take one step; its figures, and the completions with what was said about them."""
        clock = Clock()
        pending = self.ahead or self._begin_rollout()
        self.ahead = None
        if self.config.one_batch_behind and self.step + 1 < self.config.steps:
            self.ahead = self._begin_rollout()
        clock.mark("rollout_s")
        ref = self._reference_logps(pending.rollout)  # while the service is at work
        clock.mark("reference_s")
        answered = pending.wait()
        clock.mark("reward_wait_s")
        if self.config.refills:
            answered = self._refilled(answered)
            ref = self._reference_logps(answered.rollout)
            clock.mark("refill_s")
        staleness = self.learner.updates - pending.updates
        lesson, stats = self._lesson(answered, ref)
        stats |= self.learner.learn(
            lesson,
            learning_rate=self.config.learning_rate_at(self.step),
            is_on_policy=staleness == 0,
        )
        self.step += 1
        self._refresh_reference()
        clock.mark("update_s")
        return {**stats, "staleness": staleness, **clock.seconds}, answered

    def _begin_rollout(self) -> Pending:
        """Sample this rank's share of the next prompts and ask for their rewards chunk by chunk."""
        c = self.config
        asked = at_position(self.problems, self.position, c.prompts_per_step, c.seed)
        self.position += c.prompts_per_step
        mine = asked[self.ranks.rank :: self.ranks.size]
        grouped = [problem for problem in mine for _ in range(c.group_size)]
        size = len(grouped) // c.chunks
        parts, answers = [], []
        for start in range(0, len(grouped), size):
            chunk = grouped[start : start + size]
            part = sample(
                self.policy,
                self.tokenizer,
                [problem.prompt for problem in chunk],
                sampling=c.sampling,
                generator=self.sampling,
            )
            answers.append(self.requests.send(chunk, part.texts, part.truncated.tolist()))
            parts.append(part)
        return Pending(grouped, concatenate(parts), answers, self.learner.updates)

    def _refilled(self, answered: Answered) -> Answered:
        """Dynamic sampling: groups whose rewards are equal give way to others, within limits."""
        size = self.config.group_size
        wanted = len(answered.graded) // size
        kept = [informative_groups(answered, size)]
        for _ in range(self.config.refills):
            have = sum(len(part.graded) for part in kept) // size
            if not any(self.ranks.gathered(have < wanted)):  # all ranks refill, or none
                break
            kept.append(informative_groups(self._begin_rollout().wait(), size))
        together = joined(kept)
        return together.rows(torch.arange(min(wanted * size, len(together.graded))))

    def _reference_logps(self, rollout: Rollout) -> Tensor | None:
        """(N, T), or None without a KL term."""
        if self.reference is None:
            return None
        ref = torch.zeros_like(rollout.old)
        temperature = self.config.sampling.temperature
        with torch.no_grad():
            for rows in torch.arange(len(ref)).split(self.config.microbatch):
                part = rollout.rows(rows)
                lp, _ = completion_logps(self.reference, part, temperature=temperature)
                ref[rows, : lp.shape[1]] = lp
        return ref

    def _lesson(self, answered: Answered, ref: Tensor | None) -> tuple[Lesson, Stats]:
        """Compare the rewards of each group; what to learn from, and what to log about it."""
        c = self.config
        mine = answered.table(c.group_size)
        tables = self.ranks.gathered(mine)
        table = stacked(tables)  # of all ranks: some advantages are relative to the whole batch
        rewards = table.rewards
        if c.overlong_buffer:
            limits = {"max_length": c.sampling.max_new_tokens, "buffer": c.overlong_buffer}
            rewards = rewards + overlong_penalty(table.lengths, **limits)
        a = advantages(
            c.advantage, rewards, table.scored, table.lengths, ddof=c.ddof, eps=c.std_eps
        )  # (B, G)
        first = sum(len(one.rewards) for one in tables[: self.ranks.rank])
        own = a[first : first + len(mine.rewards)].flatten().to(self.device)
        keep = (mine.scored & ~(mine.truncated & c.drop_truncated)).flatten().to(self.device)
        rollout = answered.rollout
        return Lesson(rollout, own, pick(rollout.mask, keep), ref), described(table)

    def _refresh_reference(self) -> None:
        """Move the reference to the policy when its time has come."""
        c = self.config
        if self.reference is None or not c.reference_every or self.step % c.reference_every:
            return
        with torch.no_grad():
            pairs = zip(self.reference.parameters(), self.policy.parameters(), strict=True)
            for old, new in pairs:
                old.lerp_(new, c.reference_mix)


class Clock:
    """Where the seconds of a step went."""

    def __init__(self) -> None:
        self._began = self._last = time.perf_counter()
        self.seconds: Stats = {}

    def mark(self, name: str) -> None:
        """Count what passed since the last mark as `name`."""
        now = time.perf_counter()
        self.seconds[name] = now - self._last
        self.seconds["step_s"] = now - self._began
        self._last = now


def informative_groups(answered: Answered, group_size: int) -> Answered:
    """Return the groups that teach something."""
    table = answered.table(group_size)
    groups = informative(table.rewards, table.scored).nonzero()  # (b, 1)
    return answered.rows((groups * group_size + torch.arange(group_size)).flatten())


def described(table: Table) -> Stats:
    """Figures of a batch's rewards; the mean reward is over what was scored."""
    groups, size = table.rewards.shape
    scored, taught = table.scored.sum(), informative(table.rewards, table.scored).sum()
    count = max(1, groups * size)  # dynamic sampling may leave no group at all
    return {
        "groups": groups,
        "reward": float((table.rewards * table.scored).sum() / scored.clamp(min=1)),
        "scored_share": float(scored) / count,
        "dead_groups": float(groups - taught) / max(1, groups),
        "length": float(table.lengths.sum()) / count,
        "truncated_share": float(table.truncated.sum()) / count,
    }

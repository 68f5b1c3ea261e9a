"""Run by torchrun in two processes: their steps are those of one process with all the data."""

from dataclasses import replace

import torch

from grpo_trainer.core import Objective
from grpo_trainer.learn import Learner, Lesson
from grpo_trainer.ranks import Ranks, join
from grpo_trainer.rollout import Sampling, sample
from grpo_trainer.train import Trainer
from tests.trainer.worlds_for_tests import PROBLEMS, TOKENIZER, config, fingerprint, policy, sevens


def lesson() -> Lesson:
    generator = torch.Generator().manual_seed(3)
    prompts = [problem.prompt for problem in PROBLEMS]
    sampling = Sampling(max_new_tokens=6)
    drawn = sample(policy(), TOKENIZER, prompts, sampling=sampling, generator=generator)
    advantage = torch.linspace(-1, 1, len(prompts))
    exact = {name: getattr(drawn, name).double() for name in ("prompt_mask", "mask", "old")}
    drawn = replace(drawn, **exact)
    return Lesson(drawn, advantage.double(), drawn.mask, drawn.old + 0.1)


def part(whole: Lesson, rows: torch.Tensor) -> Lesson:
    drawn = whole.rollout.rows(rows)
    assert whole.ref is not None
    width = drawn.mask.shape[1]
    return Lesson(drawn, whole.advantage[rows], drawn.mask, whole.ref[rows, :width])


def learned(given: Lesson, ranks: Ranks, aggregation: str) -> torch.nn.Module:
    objective = Objective(aggregation=aggregation, beta=0.1, max_length=6)
    settings = config(minibatches=1, max_gradient_norm=0.05, objective=objective)
    learner = Learner(settings, policy().double(), ranks)
    for _ in range(3):
        learner.learn(given, learning_rate=1e-2, is_on_policy=False)
    return learner.policy


def main() -> None:
    ranks = join("cpu")
    whole = lesson()
    mine = part(whole, torch.arange(ranks.rank, len(PROBLEMS), ranks.size))
    for aggregation in ("sequence_mean", "token_mean", "constant"):
        together = learned(mine, ranks, aggregation).state_dict()
        alone = learned(whole, Ranks(), aggregation).state_dict()
        for name, weight in alone.items():
            torch.testing.assert_close(together[name], weight, rtol=1e-6, atol=1e-9)
    given = config(advantage="batch_std", refills=1)
    trainer = Trainer(given, policy(), TOKENIZER, PROBLEMS, sevens, ranks=ranks)
    texts = [trainer.run_step()[1].rollout.texts for _ in range(2)]
    prints = ranks.gathered(fingerprint(trainer.policy))
    drawn = ranks.gathered(texts)
    assert prints[0] == prints[1], "the ranks' weights differ"
    assert drawn[0] != drawn[1], "the ranks sampled the same"
    trainer.close()
    if ranks.rank == 0:
        print("ranks agree")
    ranks.leave()


if __name__ == "__main__":
    main()

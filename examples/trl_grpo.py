#!/usr/bin/env python3
"""
TRL's GRPOTrainer with R1-Zero's rewards from the service.

    pip install trl rulegrade
    RULEGRADE_URL=http://127.0.0.1:8000 python examples/trl_grpo.py --model Qwen/Qwen2.5-0.5B

The data set is two lines of arithmetic; give your own as JSON lines with `prompt` and
`ground_truth`, and a column `verifiers` (JSON text) for rows that are scored otherwise.
"""

import argparse
from typing import Any

from datasets import Dataset, load_dataset
from trl import GRPOConfig, GRPOTrainer

from reward_client.adapters.trl import reward_funcs

ROWS = [
    {"prompt": "What is 17 * 3? <think>", "ground_truth": "51"},
    {"prompt": "What is 144 / 12? <think>", "ground_truth": "12"},
]


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().partition("\n")[0])
    parser.add_argument("--model", required=True, help="a model's name or directory")
    parser.add_argument("--data", help="JSON lines with `prompt` and `ground_truth`")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--length", type=int, default=1024, help="tokens of a completion, at most")
    parser.add_argument("--cpu", action="store_true", help="for a try without a GPU")
    options = parser.parse_args()
    data: Any = (
        load_dataset("json", data_files=options.data, split="train")
        if options.data
        else Dataset.from_list(ROWS)
    )
    trainer = GRPOTrainer(
        model=options.model,
        # one function a component: each has its curve, and all share one request a batch
        reward_funcs=reward_funcs(["math", "format"], verifiers="r1-zero", on_error="mask"),
        args=GRPOConfig(
            output_dir="grpo",
            max_steps=options.steps,
            num_generations=8,
            max_completion_length=options.length,
            reward_weights=[1.0, 1.0],
            logging_steps=1,
            use_cpu=options.cpu,
            bf16=not options.cpu,
        ),
        train_dataset=data,
    )
    trainer.train()


if __name__ == "__main__":
    main()

"""
TRL's GRPOTrainer takes steps on a random model of 27 thousand weights, rewarded by the service.

    trl_steps.py URL STEPS ON_ERROR [PID]

With PID, the service's process is killed after the first step. Prints the log history, or the
exception that ended the training.
"""

import json
import os
import signal
import sys
import tempfile
from typing import Any

from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    TrainerCallback,
    set_seed,
)
from trl import GRPOConfig, GRPOTrainer

from reward_client.adapters.trl import reward_funcs

LENGTH = {"max_length": 4, "shape": "max", "unit": "characters"}
VERIFIERS = [  # the last one because a random model meets it now and then
    {"name": "math"},
    {"name": "format"},
    {"name": "length", "params": LENGTH},
]
PAD, EOS = "<pad>", "<eos>"
CHARACTERS = "0123456789+= \\boxed{}"


class KillService(TrainerCallback):  # type: ignore[misc]  # its base is Any where TRL is missing
    """Kills a process after the first step."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 1:
            os.kill(self._pid, signal.SIGKILL)


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a character."""
    words = [PAD, EOS, *sorted(set(CHARACTERS))]
    model = models.WordLevel({word: at for at, word in enumerate(words)}, unk_token=PAD)
    inner = Tokenizer(model)
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token=PAD, eos_token=EOS, padding_side="left"
    )


def tiny_model() -> tuple[Any, PreTrainedTokenizerFast]:
    """A random model of 27 thousand weights, always the same."""
    set_seed(0)
    tokens = tokenizer()
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokens), **size, **heads)), tokens


def main(url: str, steps: int, on_error: str, pid: int | None) -> dict[str, Any]:
    """Train; what came of it."""
    model, tokens = tiny_model()
    rows = [{"prompt": "1+1=", "ground_truth": "2"}] * 4
    functions = reward_funcs(
        ["math", "format", "length"],
        url=url,
        verifiers=VERIFIERS,
        on_error=on_error,
        deadline_ms=3_000,
        grace_s=2.0,
    )
    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=8,
        num_generations=4,
        max_completion_length=8,
        max_steps=steps,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=functions,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokens,
        callbacks=[KillService(pid)] if pid else [],
    )
    try:
        trainer.train()
    except Exception as error:  # what ends the run is what is asked for
        return {"error": type(error).__name__, "steps": trainer.state.global_step}
    return {"history": trainer.state.log_history, "steps": trainer.state.global_step}


if __name__ == "__main__":
    given = main(
        sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]) if sys.argv[4:] else None
    )
    print("RESULT " + json.dumps(given))

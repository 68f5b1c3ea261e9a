"""
A causal language model of Hugging Face, from a local directory, as a policy.

Weights stay in float32 and the forward runs in bfloat16 under autocast on a GPU. Dropout stays off
in training too: with it the log-probabilities of rollout and training would not be the same policy.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from grpo_trainer.policy import position_ids


class HubPolicy(nn.Module):
    """`model` behind the interface of `policy.Policy`."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def new_cache(self, rows: int, length: int) -> Any:
        """As in `Policy`."""
        del rows, length  # it grows by itself
        return DynamicCache()

    def forward(self, ids: Tensor, mask: Tensor, *, cache: Any = None, keep: int = 0) -> Tensor:
        """As in `Policy`."""
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=ids.is_cuda):
            answer = self.model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=position_ids(mask)[:, -ids.shape[1] :],
                past_key_values=cache,
                use_cache=cache is not None,
                logits_to_keep=keep,
            )
        return answer.logits.float()


class HubTokenizer:
    """The tokenizer beside the model."""

    def __init__(self, tokenizer: Any) -> None:
        self.hub = tokenizer
        self.end_id = tokenizer.eos_token_id
        self.pad_id = self.end_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    def encode(self, text: str) -> list[int]:
        """As in `Tokenizer`. Templates write their own special tokens, so none is added."""
        ids: list[int] = self.hub.encode(text, add_special_tokens=False)
        return ids

    def decode(self, ids: list[int]) -> str:
        """As in `Tokenizer`. Special tokens stay in the text: the service must see them."""
        kept = [number for number in ids if number != self.end_id]
        text: str = self.hub.decode(kept, skip_special_tokens=False)
        return text


def load(directory: Path, *, device: str = "cpu") -> tuple[HubPolicy, HubTokenizer]:
    """Read model and tokenizer from `directory`; nothing is fetched and no code of it is run."""
    options = {"local_files_only": True, "trust_remote_code": False}
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, **options)
    policy = HubPolicy(model.eval()).to(device)
    return policy, HubTokenizer(AutoTokenizer.from_pretrained(directory, **options))


def save(policy: HubPolicy, tokenizer: HubTokenizer, directory: Path) -> None:
    """Write both so that `load`, and anything else that reads such models, can read them."""
    policy.model.save_pretrained(directory)
    tokenizer.hub.save_pretrained(directory)

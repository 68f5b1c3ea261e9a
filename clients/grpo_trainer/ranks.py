"""
The processes of a data-parallel run, or the only one.

`torchrun` starts them; gradients are added, not averaged, because the loss weights already divide
by the totals of the whole mini-batch. So two ranks take the same step as one with all the data.
"""

import os
import time
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")

PARTING_S = 1.0
"""A thread of Gloo drops the last tensors that were exchanged when it comes to it, and needs the
interpreter's lock for that. If it finds the interpreter at its end, the process aborts (in CPython
up to 3.13), and torchrun calls the whole run a failure."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process is number `rank` of `size`."""

    rank: int = 0
    size: int = 1
    local: int = 0
    """Number on this machine: which GPU is its own."""

    def total(self, value: Tensor) -> Tensor:
        """Sum over all ranks."""
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def gathered(self, value: T) -> list[T]:
        """Return the value of every rank, in their order; anything that can be pickled."""
        values: list[T] = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(values, value)
        return values

    def add_gradients(self, policy: nn.Module) -> None:
        """Give every rank the sum of all gradients, in one message."""
        if self.size == 1:
            return
        weights = [weight for weight in policy.parameters() if weight.requires_grad]
        gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
        summed = self.total(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = summed.split([weight.numel() for weight in weights])
        for weight, part in zip(weights, parts, strict=True):
            weight.grad = part.view_as(weight)

    def wait_for_all(self) -> None:
        """Return when every rank is here."""
        if self.size > 1:
            dist.barrier()

    def leave(self) -> None:
        """Part from the others once all are here: the last thing that a process does."""
        if self.size > 1:
            self.wait_for_all()
            dist.destroy_process_group()
            time.sleep(PARTING_S)


def join(device: str) -> Ranks:
    """Meet the other processes that torchrun started; alone without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Ranks(int(os.environ.get("RANK", "0")), size, int(os.environ.get("LOCAL_RANK", "0")))

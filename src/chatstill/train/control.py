"""Stopping and agreeing: signals become a request that all processes honour at the same step."""

import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

import numpy as np
import torch
import torch.distributed as dist

from ..errors import Interrupted

__all__ = ["Agreement", "Interrupted", "StopRequest"]


class StopRequest:
    """Set by SIGTERM or Ctrl-C. A second Ctrl-C stops at once, without saving."""

    def __init__(self) -> None:
        self.signal_number = 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal_number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal_number = number

    @contextmanager
    def listening(self) -> Iterator["StopRequest"]:
        """Catches both signals inside the block; outside the main thread it changes nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = [signal.signal(number, self._handle) for number in numbers]
        try:
            yield self
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)


class Agreement:
    """Sums small vectors of numbers over all processes, over gloo: no accelerator is waited for."""

    def __init__(self) -> None:
        self.active = dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
        self._group = None
        if self.active and dist.get_backend() != "gloo":
            self._group = dist.new_group(backend="gloo")

    def sums(self, numbers: list[float]) -> list[float]:
        """Element-wise sums in float64, equal on every process."""
        if not self.active or not numbers:
            return numbers
        tensor = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(tensor, group=self._group)
        return tensor.tolist()

    def sums_by_name(self, local: Iterable[Mapping[str, float]]) -> dict[str, float]:
        """Sums of named numbers over several mappings of each process, and over all processes.

        A name must be known to every process, in whichever of its mappings.
        """
        totals: dict[str, float] = {}
        for numbers in local:
            for name, number in numbers.items():
                totals[name] = totals.get(name, 0.0) + number
        names = sorted(totals)
        return dict(zip(names, self.sums([totals[name] for name in names]), strict=True))

    def sum_array(self, array: np.ndarray) -> np.ndarray:
        """Element-wise sum of an array over all processes."""
        if not self.active:
            return array
        tensor = torch.from_numpy(array.copy())
        dist.all_reduce(tensor, group=self._group)
        return tensor.numpy()

    def largest(self, numbers: list[float]) -> list[float]:
        """Element-wise maxima, equal on every process."""
        if not self.active:
            return numbers
        tensor = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX, group=self._group)
        return tensor.tolist()

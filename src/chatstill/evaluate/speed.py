"""How fast and how large a classifier is. Several models are timed in turns, so that a machine that
warms up or gets busy slows all of them alike."""

from __future__ import annotations

import inspect
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

Batch = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class Latency:
    """Wall-clock time of one forward pass.

    Attributes:
        median_ms: Over all timed passes.
        p90_ms: Nine of ten passes are faster.
        device: Name of the device.
        threads: CPU threads of torch.
        batch: Rows per pass.
        length: Median padded length.
    """

    median_ms: float
    p90_ms: float
    device: str
    threads: int
    batch: int
    length: int


@dataclass(frozen=True)
class ParameterCount:
    """Parameters, tied ones once; without embeddings = without every lookup table."""

    total: int
    without_embeddings: int


def measure_models(
    models: Mapping[str, nn.Module],
    batches: Sequence[Batch] | Mapping[str, Sequence[Batch]],
    *,
    repeats: int = 20,
    warmup: int = 3,
    threads: int | None = None,
) -> dict[str, Latency]:
    """Latency of several models in one run: each repeat times every model once, in turning order.

    Args:
        models: By name; their train/eval flags are put back.
        batches: Inputs, taken in a circle; by model name where the models read different ids.
            Labels, row numbers and token types that a model does not take are left out.
        repeats: Timed passes per model; at least one per batch.
        warmup: Untimed passes per model before.
        threads: CPU threads during the measurement; None leaves them.

    Raises:
        ValueError: a model without batches.
    """
    inputs = {}
    for name, model in models.items():
        these = batches[name] if isinstance(batches, Mapping) else batches
        if not these:
            raise ValueError(f"no batches to time {name!r} with")
        inputs[name] = [_fitting(model, batch) for batch in these]
    passes = max(repeats, max((len(these) for these in inputs.values()), default=0))
    seconds: dict[str, list[float]] = {name: [] for name in models}
    names = list(models)
    with torch.inference_mode(), _evaluating(models), _threads(threads):
        for turn in range(-warmup, passes):
            start = turn % max(1, len(names))
            for name in names[start:] + names[:start]:
                batch = inputs[name][turn % len(inputs[name])]
                spent = _time(models[name], batch)
                if turn >= 0:
                    seconds[name].append(spent)
        return {name: _summary(models[name], inputs[name], seconds[name]) for name in names}


def measure_latency(
    model: nn.Module,
    batches: Sequence[Batch],
    *,
    repeats: int = 20,
    warmup: int = 3,
    threads: int | None = None,
) -> Latency:
    """Latency of one model; see ``measure_models``."""
    measured = measure_models(
        {"model": model}, batches, repeats=repeats, warmup=warmup, threads=threads
    )
    return measured["model"]


def count_parameters(model: nn.Module) -> ParameterCount:
    """Parameters in total, and without embedding tables."""
    sizes = {id(p): p.numel() for p in model.parameters()}
    tables = {
        id(module.weight)
        for module in model.modules()
        if isinstance(module, torch.nn.Embedding | torch.nn.EmbeddingBag)
    }
    total = sum(sizes.values())
    return ParameterCount(total, total - sum(sizes[table] for table in tables if table in sizes))


def size_megabytes(folder: Path) -> float:
    """Size of a saved model's weights: its .safetensors files, in units of 1,000,000 bytes.

    Raises:
        FileNotFoundError: no such file in the folder.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"no .safetensors file in {folder}")
    return sum(file.stat().st_size for file in files) / 1e6


def device_name(device: str | torch.device = "cpu") -> str:
    """The processor's or the GPU's name."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine() or "CPU"


def _time(model: nn.Module, batch: Batch) -> float:
    cuda = next(iter(batch.values())).is_cuda
    if cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    model(**batch)
    if cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def _summary(model: nn.Module, batches: Sequence[Batch], seconds: Sequence[float]) -> Latency:
    shapes = [batch["input_ids"].shape for batch in batches]
    return Latency(
        median_ms=1000 * float(np.median(seconds)),
        p90_ms=1000 * float(np.quantile(seconds, 0.9)),
        device=device_name(_device(model)),
        threads=torch.get_num_threads(),
        batch=int(np.median([shape[0] for shape in shapes])),
        length=int(np.median([shape[1] for shape in shapes])),
    )


def _fitting(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The tensors that the model takes, on its device."""
    accepted = inspect.signature(model.forward).parameters
    device = _device(model)
    return {
        key: value.to(device)
        for key, value in batch.items()
        if key in accepted and key not in ("labels", "index")
    }


def _device(model: nn.Module) -> torch.device:
    return next((p.device for p in model.parameters()), torch.device("cpu"))


@contextmanager
def _evaluating(models: Mapping[str, nn.Module]) -> Iterator[None]:
    """All modules in eval mode, each one's own flag put back after."""
    flags = {module: module.training for model in models.values() for module in model.modules()}
    for model in models.values():
        model.eval()
    try:
        yield
    finally:
        for module, training in flags.items():
            module.training = training


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)

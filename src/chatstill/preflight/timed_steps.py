"""A few training steps on copies, timed, so that a plan can say what a run will cost."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from ..features.base import Features
from ..features.frozen import PLACES, STATES, frozen_part
from ..methods.base import Context, Method
from ..train.kernels import quick_kernels
from ..train.not_finite import Findings, look
from ..train.precision import autocast
from ..train.resources import forget_peak, memory_in_use, peak_memory
from ..train.stage import StageModule
from ..train.teachers import LiveTeacher, live_source
from .cost import StepTiming


@dataclass(frozen=True)
class Rehearsal:
    """What the measured steps took.

    Attributes:
        timings: One per batch, the warm-up left out.
        trained_parameters: Parameters with a gradient.
        parameter_bytes: All networks that stay loaded, the teacher too.
        memory_before: Bytes in use before the first step: with the networks and their copies.
        memory_peak: Highest during the steps.
        largest_tokens: Tokens of the largest batch measured.
        teacher: One for each batch, the teacher alone; empty where it runs inside the steps.
        states: One for each batch, what of the student is not trained alone; empty likewise.
        terms: Term -> its value in each step, as a share of the step's count.
        findings: What was not finite in the first step of which something was not; None where all was.
        has_gradient: Whether any step would have moved a weight.
        optimizer_bytes: What the optimizer keeps after the steps, part of ``memory_peak``.
    """

    timings: list[StepTiming]
    trained_parameters: int
    parameter_bytes: int
    memory_before: int
    memory_peak: int
    largest_tokens: int
    teacher: list[StepTiming] = field(default_factory=list)
    states: list[StepTiming] = field(default_factory=list)
    terms: dict[str, list[float]] = field(default_factory=dict)
    findings: Findings | None = None
    has_gradient: bool = True
    optimizer_bytes: int = 0


def rehearse(
    method: Method,
    batches: Sequence[Mapping[str, Tensor]],
    device: torch.device,
    *,
    seed: int,
    num_steps: int,
    phase: int = 0,
    stored: bool = False,
    precision: str = "float32",
    tokens: np.ndarray | None = None,
    states: bool = False,
) -> Rehearsal:
    """Runs forward, backward and update on copies of the networks, as the training will.

    Weights, train/eval flags and every generator are as before afterwards.

    Args:
        method: Left untouched; a deep copy of it is trained.
        batches: Each measured once, after a warm-up.
        device: Where to.
        seed: Of the copy's draws.
        num_steps: Of the planned phase; the batches stand for steps spread over it.
        phase: Its number.
        stored: The teacher's features will come from a cache: the steps are timed without it, and it
            is timed by itself.
        precision: ``float32``, ``bf16`` or ``fp16``.
        tokens: See ``StageModule``; on CPUs alone.
        states: Those of the student's part that is not trained will be stored, likewise.
    """
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices), quick_kernels():
        double = copy.deepcopy(method)
        planned = double.phases()[phase]
        live = live_source(double, planned)
        source = None
        if stored and live is not None:
            with autocast(precision, device):
                source = _Remembered(live, batches, device)
        alone: list[StepTiming] = []
        if states:
            with autocast(precision, device):
                batches, alone = _with_states(double, batches, device)
        words = tokens if device.type == "cpu" else None
        stage = StageModule(double, planned, source, words).to(device).train()
        trained = [p for p in stage.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=0.0, fused=device.type in ("cpu", "cuda"))
        before = memory_in_use(device.type)
        trial = _Trial(double, stage, None if forget_peak(device.type) else before)
        timings: list[StepTiming] = []
        warm = _warm_up(batches, device)
        for number, batch in enumerate([*warm, *batches], start=-len(warm)):
            step = max(number, 0) * num_steps // max(len(batches), 1)
            context = _context(double, seed, phase, step, num_steps)
            timings.append(_step(trial, optimizer, batch, device, context, precision))
        peak = peak_memory(device.type) if trial.highest is None else trial.highest
    return Rehearsal(
        timings=timings[len(warm) :],
        trained_parameters=sum(p.numel() for p in trained),
        parameter_bytes=_bytes_of(stage, double.student, double.teacher, double.run.pretrained),
        memory_before=before,
        memory_peak=before if peak is None else peak,
        largest_tokens=max(timing.tokens for timing in timings),
        teacher=source.timings if source is not None else [],
        states=alone,
        terms=trial.terms,
        findings=trial.findings,
        has_gradient=trial.has_gradient,
        optimizer_bytes=_states_of(optimizer),
    )


class _Trial:
    """What the steps show beside their time.

    Attributes:
        highest: Most bytes in use at the end of a forward pass; None where the system keeps the peak.
    """

    def __init__(self, method: Method, stage: StageModule, highest: int | None) -> None:
        self.method, self.stage, self.highest = method, stage, highest
        self.terms: dict[str, list[float]] = {}
        self.findings: Findings | None = None
        self.has_gradient = False

    def note(
        self, shares: Mapping[str, Tensor], inputs: Mapping[str, Tensor], context: Context
    ) -> None:
        """Looks at a step after its backward pass."""
        values = {name: float(shares[name]) for name in shares if f"{name}_weighted" in shares}
        for name, value in values.items():
            self.terms.setdefault(name, []).append(value)
        grads = [p.grad for p in self.stage.parameters() if p.grad is not None]
        self.has_gradient |= any(bool(grad.any()) for grad in grads)
        sound = all(math.isfinite(float(share)) for share in shares.values())
        if not sound and self.findings is None:
            self.findings = look(self.stage, [(inputs, context)])


class _Remembered:
    """Stands for a cache: the features of a few batches, with how long the teacher took for them."""

    def __init__(
        self, live: LiveTeacher, batches: Sequence[Mapping[str, Tensor]], device: torch.device
    ) -> None:
        self.features_of: dict[bytes, Features] = {}
        self.timings: list[StepTiming] = []
        warm = _warm_up(batches, device)
        for batch in [*warm, *batches]:
            inputs = {name: tensor.to(device) for name, tensor in batch.items()}
            started = time.perf_counter()
            self.features_of[_key(batch)] = live.features(inputs)
            if device.type == "cuda":
                torch.cuda.synchronize()
            tokens = int(batch["input_ids"].numel())
            self.timings.append(StepTiming(tokens, time.perf_counter() - started))
        del self.timings[: len(warm)]

    def features(self, batch: Mapping[str, Tensor]) -> Features:
        return self.features_of[_key(batch)]


@torch.no_grad()
def _with_states(
    method: Method, batches: Sequence[Mapping[str, Tensor]], device: torch.device
) -> tuple[list[dict[str, Tensor]], list[StepTiming]]:
    """Batches with the states that will be stored, and how long these took."""
    part = frozen_part(method.student)
    assert part is not None, "nothing of it was going to be stored"
    part.module.to(device)
    found, timings = [], []
    for batch in [*_warm_up(batches, device), *batches]:
        inputs = {name: tensor.to(device) for name, tensor in batch.items()}
        started = time.perf_counter()
        own = torch.cat(list(part.texts(inputs)))
        ids = inputs["input_ids"].repeat(len(own) // len(inputs["input_ids"]), 1)
        states = part.states(ids, own)
        if device.type == "cuda":
            torch.cuda.synchronize()
        timings.append(StepTiming(inputs["input_ids"].numel(), time.perf_counter() - started))
        rows = zip(ids.cpu().numpy(), own.cpu().numpy(), strict=True)
        places = torch.tensor([part.places(row[mine]) for row, mine in rows], device=device)
        found.append({**inputs, STATES: states, PLACES: places})
    return found[-len(batches) :], timings[-len(batches) :]


def _warm_up(
    batches: Sequence[Mapping[str, Tensor]], device: torch.device
) -> Sequence[Mapping[str, Tensor]]:
    """Untimed steps: the first batch, on a GPU every batch, since each new shape loads kernels."""
    return batches[:1] if device.type == "cpu" else batches


def _bytes_of(*networks: nn.Module | None) -> int:
    """Of all parameters, those that several share once."""
    whole = {id(p): p for network in networks if network is not None for p in network.parameters()}
    return sum(p.numel() * p.element_size() for p in whole.values())


def _states_of(optimizer: torch.optim.Optimizer) -> int:
    """Bytes that it keeps."""
    kept = (value for state in optimizer.state.values() for value in state.values())
    return sum(t.numel() * t.element_size() for t in kept if isinstance(t, Tensor))


def _key(batch: Mapping[str, Tensor]) -> bytes:
    return batch["index"].cpu().numpy().tobytes()


def _context(method: Method, seed: int, phase: int, step: int, num_steps: int) -> Context:
    """Of a draw that gives a gradient."""
    draws = [Context(seed, phase, step, micro_batch, 0, num_steps) for micro_batch in range(50)]
    return next(filter(method.contributes, draws), draws[-1])


def _step(
    trial: _Trial,
    optimizer: torch.optim.Optimizer,
    batch: Mapping[str, Tensor],
    device: torch.device,
    context: Context,
    precision: str,
) -> StepTiming:
    synchronize = torch.cuda.synchronize if device.type == "cuda" else _nothing
    started = time.perf_counter()
    batch = trial.method.prepare_batch(dict(batch), context)
    inputs = {name: tensor.to(device) for name, tensor in batch.items()}
    with autocast(precision, device):
        counts = trial.method.counts(batch, context)
        loss, shares = trial.stage(inputs, context, counts, 1.0)
    if trial.highest is not None:
        trial.highest = max(trial.highest, memory_in_use(device.type))
    if loss.requires_grad:
        loss.backward()
    synchronize()
    seconds = time.perf_counter() - started
    with autocast(precision, device):
        trial.note(shares, inputs, context)  # before an update that breaks weights as well
    started = time.perf_counter()
    optimizer.step()
    optimizer.zero_grad()
    synchronize()
    seconds += time.perf_counter() - started
    return StepTiming(int(batch["input_ids"].numel()), seconds)


def _nothing() -> None:
    """In place of waiting for a GPU."""

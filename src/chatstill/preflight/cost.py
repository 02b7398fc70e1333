"""Time and memory of a run, estimated from a few measured steps.

Pure functions: who measures does so on copies, and no generator or weight is touched here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import Problem


@dataclass(frozen=True)
class StepTiming:
    """One measured step: its tokens, padding included, and its seconds."""

    tokens: int
    seconds: float


@dataclass(frozen=True)
class CostModel:
    """Seconds of a step: ``per_step + per_token * tokens``; ``error`` is relative."""

    per_step: float
    per_token: float
    error: float = 0.0


@dataclass(frozen=True)
class TimeEstimate:
    """Seconds of the whole plan, with what the scatter of the measurement leaves open."""

    seconds: float
    low: float
    high: float


def fit_cost(measured: Sequence[StepTiming]) -> CostModel:
    """Least squares over the steps with neither part negative; equal lengths give a pure rate.

    Raises:
        ValueError: nothing measured.
    """
    if not measured:
        raise ValueError("no measured steps")
    tokens = np.array([step.tokens for step in measured], dtype=np.float64)
    seconds = np.array([step.seconds for step in measured], dtype=np.float64)
    per_step, per_token = 0.0, float(tokens @ seconds) / max(float(tokens @ tokens), 1.0)
    if np.ptp(tokens) > 0:
        matrix = np.stack([np.ones_like(tokens), tokens], 1)
        free_step, free_token = np.linalg.lstsq(matrix, seconds, rcond=None)[0]
        if free_token < 0:
            per_step, per_token = float(seconds.mean()), 0.0
        elif free_step >= 0:
            per_step, per_token = float(free_step), float(free_token)
    residual = seconds - per_step - per_token * tokens
    error = float(np.sqrt(np.mean(residual**2)) / max(seconds.mean(), 1e-12))
    return CostModel(per_step, per_token, error)


def estimate(
    measured: Sequence[StepTiming],
    plan_tokens: int,
    plan_steps: int,
    *,
    evaluation_tokens: int = 0,
    forward_share: float = 1 / 3,
) -> TimeEstimate:
    """Time of a plan: ``per_step * steps + per_token * tokens``, plus evaluations.

    Args:
        measured: A few steps of different lengths, warm-up left out.
        plan_tokens: Tokens of all training steps on this process, padding included.
        plan_steps: Optimizer steps (or micro-batches, if those were measured).
        evaluation_tokens: Tokens of all evaluations together.
        forward_share: A forward pass' part of a training step.
    """
    cost = fit_cost(measured)
    tokens = plan_tokens + forward_share * evaluation_tokens
    seconds = cost.per_step * plan_steps + cost.per_token * tokens
    spread = min(0.9, max(0.15, cost.error))  # a busy machine alone makes 15 %
    return TimeEstimate(seconds, seconds * (1 - spread), seconds * (1 + spread))


@dataclass(frozen=True)
class MemoryEstimate:
    """Peak memory of training in bytes, by part.

    ``process`` is what the process holds beside the networks: Python, its libraries, the rows.
    """

    parameters: int
    gradients: int
    optimizer: int
    activations: int
    process: int = 0

    @property
    def total(self) -> int:
        of_networks = self.parameters + self.gradients + self.optimizer + self.activations
        return self.process + of_networks


def estimate_memory(
    *,
    parameter_bytes: int,
    trained_parameters: int,
    measured_peak: int,
    measured_before: int,
    measured_tokens: int,
    largest_tokens: int,
    optimizer_states: int = 2,
    measured_states: int = 0,
    whole_process: bool = False,
) -> MemoryEstimate:
    """Memory from measured steps, scaled to the largest batch.

    What they took on top of gradients and optimizer is activations, which grow with the tokens of a
    batch (attention grows faster: with long rows measure a long one).

    Args:
        parameter_bytes: All networks that stay loaded, the teacher too.
        trained_parameters: Parameters with gradients.
        measured_peak: Highest memory of the process during the steps (peak RSS, or CUDA's peak).
        measured_before: Memory before the steps, networks loaded and copied.
        measured_tokens: Tokens of the measured batch, padding included.
        largest_tokens: Tokens of the largest batch of the plan.
        optimizer_states: float32 numbers that the optimizer keeps per trained parameter.
        measured_states: Bytes that it kept in the measured steps.
        whole_process: Whether ``measured_before`` is all memory of a process, as on CPUs: what
            it holds beside networks and copies then counts too.
    """
    gradients = 4 * trained_parameters
    used = max(0, measured_peak - measured_before - gradients - measured_states)
    activations = int(used * largest_tokens / max(1, measured_tokens))
    process = max(0, measured_before - 2 * parameter_bytes) if whole_process else 0
    states = gradients * optimizer_states
    return MemoryEstimate(parameter_bytes, gradients, states, activations, process)


def check_memory(estimated: int, available: int, *, device: str = "cpu") -> list[Problem]:
    """A warning where the estimate comes near what is free: it is too rough to refuse a run."""
    if estimated <= 0.9 * available:
        return []
    needed, free = estimated / 1e9, available / 1e9
    message = f"about {needed:.1f} GB of memory needed, {free:.1f} GB free on {device}"
    hint = (
        "Halve per_gpu_train_batch_size and double gradient_accumulation_steps, or shorten "
        "max_seq_length."
    )
    return [Problem("memory", message, hint, "warning", code="machine.memory")]

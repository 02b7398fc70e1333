"""Whether the teacher's outputs are stored for later epochs: a rule of counts and bytes, not of timings.

The rates are rough and fixed on purpose: a decision that hung on a measurement would differ from run to
run, and with it the last digits of the weights.
"""

from dataclasses import dataclass
from typing import Literal

from ..figures import byte_size

Mode = bool | Literal["auto"]

FLOPS = {"cpu": 3e10}  # multiply-adds count two; one core, and a GPU in float32
FLOPS_ELSEWHERE = 2e13
READ_RATE = {"cpu": 1e9}  # bytes a second from memory-mapped files to where they are used
READ_RATE_ELSEWHERE = 2e9


@dataclass(frozen=True)
class CacheCost:
    """What is known before anything is stored.

    Attributes:
        num_bytes: Size of the whole cache.
        num_tokens: Valid tokens of the training rows.
        passes: How often the phase reads each row.
        flops_per_token: Of the teacher, up to the highest layer that is needed.
        parts: What is kept, in words.
        present: Share of the rows that lie there already.
        beside: Bytes that the run stores besides: of the budget the rest is left.
    """

    num_bytes: int
    num_tokens: int
    passes: float
    flops_per_token: float
    parts: str
    present: float = 0.0
    beside: int = 0


@dataclass(frozen=True)
class CacheDecision:
    """``use``, and the line that says why, with bytes.

    Attributes:
        use: Whether the outputs are stored.
        text: For the plan and the log.
        num_bytes: What they take; 0 if they are not.
        wanted: ``teacher_cache`` is true: not to store them is then a fault.
    """

    use: bool
    text: str
    num_bytes: int = 0
    wanted: bool = False


def decide(
    mode: Mode,
    budget_gb: float,
    cost: CacheCost,
    *,
    device: str,
    free_bytes: int,
    refusal: str = "",
) -> CacheDecision:
    """``true`` stores what it can, ``auto`` where it saves time within the budget.

    Args:
        mode: ``teacher_cache``.
        budget_gb: ``teacher_cache_budget_gb``.
        cost: Of this phase.
        device: ``cpu``, ``cuda`` …
        free_bytes: On the disk where the cache would lie.
        refusal: Why it cannot be stored whatever it costs; empty if it can.
    """
    size = f"{byte_size(cost.num_bytes)} ({cost.parts})"
    missing = cost.num_bytes * (1 - cost.present)
    against = refusal
    if not against and cost.num_bytes + cost.beside > budget_gb * 1e9:
        besides = f", with {byte_size(cost.beside)} besides" if cost.beside else ""
        against = f"{size}{besides} are more than teacher_cache_budget_gb, {budget_gb:g}"
    if not against and missing > 0.8 * free_bytes:
        against = f"{size} do not fit the {byte_size(free_bytes)} that are free"
    if mode is True:
        kept = 0 if against else cost.num_bytes
        return CacheDecision(not against, against or f"stored: {size}", kept, wanted=True)
    if mode is False or against:
        return CacheDecision(
            False, f"live: {against}" if against else "live: teacher_cache is false"
        )
    forward = cost.num_tokens * cost.flops_per_token / FLOPS.get(device, FLOPS_ELSEWHERE)
    read = cost.num_bytes / READ_RATE.get(device, READ_RATE_ELSEWHERE)
    live = forward * cost.passes
    stored = (forward + read) * (1 - cost.present) + read * cost.passes
    if stored >= live:
        why = (
            "rows are read hardly more than once"
            if cost.passes < 1.5
            else "reading them takes longer than computing them"
        )
        return CacheDecision(False, f"live: {why}; stored it would be {size}")
    there = f", {100 * cost.present:.0f} % there already" if cost.present else ""
    text = f"stored: {size}{there}; one pass in place of {cost.passes:.3g}"
    return CacheDecision(True, text, cost.num_bytes)


def in_words(parts: list[str]) -> str:
    """``["logits", "hidden_states.0", "hidden_states.4"]`` as ``logits, hidden_states 0 4``."""
    kinds: dict[str, list[str]] = {}
    for part in parts:
        kind, *rest = part.split(".")
        layers = kinds.setdefault(kind, [])
        if rest and rest[0] not in layers:
            layers.append(rest[0])
    return ", ".join(" ".join([kind, *layers]) for kind, layers in kinds.items())

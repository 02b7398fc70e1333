"""Whether what a phase asks its teacher is stored, by the rule of ``data.teacher_cache_rule``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from ..data.teacher_cache import Layout
from ..data.teacher_cache_rule import CacheCost, CacheDecision, decide, in_words
from ..errors import Problem, UserError
from ..models.layers import num_layers_of
from .device import device_of
from .resources import existing_parent
from .teachers import LiveTeacher

if TYPE_CHECKING:
    from ..run.job import Job

DRAWN = "tokens are drawn anew in every epoch, so no row is read twice alike"
NEAR_THE_END = 16_000  # of float16's range: two rows do not show the largest state


@dataclass(frozen=True)
class Stored:
    """How a phase's teacher features are stored.

    Attributes:
        live: What computes them.
        layout: What is kept.
        scaling: Of each layer's attention.
        largest: Of the numbers that are kept in float16, in two rows.
    """

    live: LiveTeacher
    layout: Layout
    scaling: Mapping[int, float]
    largest: float = 0.0


def cache_folder(job: Job, folder: Path, kind: str = "teacher") -> Path:
    """Where caches of a kind lie: with the other prepared data."""
    home = Path(job.config.cache_dir) if job.config.cache_dir else folder / "cache"
    return home / kind


def decide_phase(
    job: Job,
    stored: Stored,
    folder: Path,
    *,
    num_rows: int,
    num_tokens: int,
    passes: float,
    present: float = 0.0,
    beside: int = 0,
) -> CacheDecision:
    """The rule of ``data.teacher_cache_rule`` on what a phase would store.

    Args:
        job: The run.
        stored: What the phase would store.
        folder: The run folder.
        num_rows: Training rows.
        num_tokens: Their valid tokens.
        passes: How often the phase reads each row.
        present: Share of the rows that lie there already.
        beside: Bytes that other phases store, in other files.

    Raises:
        UserError: ``teacher_cache`` is true and it cannot be.
    """
    live, config = stored.live, job.config
    highest, inside = live.needs.highest, float(inner_parameters(live.teacher))
    if highest is not None:
        inside *= highest / num_layers_of(live.teacher.config)
    cost = CacheCost(
        num_bytes=stored.layout.total_bytes(num_rows, num_tokens),
        num_tokens=num_tokens,
        passes=passes,
        flops_per_token=2.0 * inside,
        parts=in_words([part.name for part in stored.layout.parts]),
        present=present,
        beside=beside,
    )
    refusal = "a term reads padded positions, which are not stored" if live.needs.padding else ""
    if job.method.makes_tokens:
        refusal = DRAWN
    if stored.largest > (NEAR_THE_END if config.teacher_cache == "auto" else 65_504):
        refusal = f"its states reach {stored.largest:,.0f}, float16 holds numbers up to 65,504"
    decision = decide(
        config.teacher_cache,
        config.teacher_cache_budget_gb,
        cost,
        device=device_of(config).type,
        free_bytes=shutil.disk_usage(existing_parent(cache_folder(job, folder))).free,
        refusal=refusal,
    )
    if decision.wanted and not decision.use:
        hint = 'Set it to "auto" or false' + (
            "." if refusal else ", or raise teacher_cache_budget_gb."
        )
        message = f"the teacher's outputs cannot be stored: {decision.text}"
        raise UserError(Problem("teacher_cache", message, hint, code="cache.outputs-not-storable"))
    return decision


def inner_parameters(model: Any) -> int:
    """Parameters that every token is multiplied with: all but the embeddings."""
    inside = sum(p.numel() for p in model.parameters())
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            inside -= module.weight.numel()
    return inside

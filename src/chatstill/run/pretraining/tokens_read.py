"""How much text a network has seen since it was random: one that has read little wants other rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...models.own import READ, own_block
from ...train.launch import world_size

if TYPE_CHECKING:
    from .job import CorpusJob
    from .train import Prepared, Trained


def tokens_read(job: CorpusJob, parts: Prepared, trained: Trained) -> dict[str, int]:
    """Tokens that the kept network has read since it was random; empty where that is not known."""
    before = 0 if job.start == "random" else own_block(job.method.student.config).get(READ)
    if not isinstance(before, int) or job.words is not None:
        return {}
    steps = sum(phase.steps for phase in trained.phases)
    rows = steps * job.config.per_gpu_train_batch_size * world_size()
    rows *= job.config.gradient_accumulation_steps
    return {READ: before + round(rows * parts.train.num_tokens / len(parts.train))}

"""The teacher of a run, live or stored: what was decided, and the pass that stores it.

The decision is written into the run folder when the run begins, so a run that goes on keeps to it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..data.blocks import Blocks
from ..data.fingerprint import state_sha256
from ..data.teacher_cache import TeacherCache, cache_fingerprint
from ..data.views import View
from ..disk.json_file import fault_of, read_object
from ..disk.write import write_json
from ..figures import byte_size
from ..methods.base import Phase
from ..models.custom import code_of
from ..models.outputs import reading_of
from .cached_teacher import CachedTeacher, compute_with, layout_of, to_arrays
from .device import device_of
from .launch import rank, world_size
from .phases import steps_of
from .precision import autocast, precision_of
from .progress import FillDisplay
from .storing import Stored, cache_folder, decide_phase
from .teachers import TeacherSource, live_source

if TYPE_CHECKING:
    from rich.console import Console

    from ..run.job import Job

log = logging.getLogger("chatstill")
Source = View | Blocks
FILE = "teacher_cache.json"


def storable(job: Job, phase: Phase, rows: Source) -> Stored | None:
    """What a phase would store, found by asking the teacher about two rows; None if it asks nothing."""
    live = live_source(job.method, phase)
    if live is None:
        return None
    view = as_teacher_reads(rows)
    batch = job.reader.of_teacher.batch_of(view, np.arange(min(2, len(view))))
    device = device_of(job.config)
    features = live.features({name: tensor.to(device) for name, tensor in batch.items()})
    scaling = {layer: kept.scaling for layer, kept in features.attention.items()}
    layout = layout_of(features, live.needs)
    halves = {part.name for part in layout.parts if part.dtype == "float16"}
    arrays = to_arrays(features, live.needs, batch["attention_mask"])
    largest = max((float(np.abs(arrays[name]).max()) for name in halves), default=0.0)
    return Stored(live, layout, scaling, largest)


def as_teacher_reads(rows: Source) -> Source:
    """The teacher's view of the rows: the same one, where both networks share a tokenizer."""
    return rows if rows.teacher is None else rows.teacher


def open_cache(job: Job, stored: Stored, rows: Source, folder: Path) -> tuple[TeacherCache, Any]:
    """The cache of a phase and what decides its contents, in words."""
    view, teacher = as_teacher_reads(rows), stored.live.teacher
    config = {k: v for k, v in teacher.config.to_dict().items() if not k.startswith("_")}
    sources = {
        "teacher": state_sha256(teacher.state_dict()),
        "architecture": json.loads(json.dumps(config, default=str)),
        "rows": view.fingerprint,
        "token_types": job.reader.of_teacher.with_token_types,
        "padding": job.reader.of_teacher.pad_token_id,
        "needs": {k: v for k, v in asdict(stored.live.needs).items() if v},
        "precision": _precision(job),
    }
    if reading := reading_of(teacher):
        sources["output"] = asdict(reading)
    if code := code_of(teacher):
        sources["code"] = code
    sources = json.loads(json.dumps(sources))
    name = cache_fingerprint(stored.layout, sources)
    cache = TeacherCache(cache_folder(job, folder), name, stored.layout, view.lengths)
    return cache, sources


def settle(job: Job, rows: Mapping[str, Source], folder: Path) -> None:
    """Decides for every phase of a new run and writes ``teacher_cache.json``; the first process alone.

    Args:
        job: The run.
        rows: The training rows by ``Phase.data``.
        folder: The run folder.
    """
    path = folder / FILE
    if path.is_file():
        fault = _fault_of_file(path)
        if fault is None:
            return
        log.warning("%s %s: it is decided anew where the teacher's outputs come from", path, fault)
    found, sizes = {}, dict[str, int]()  # one file may serve several phases
    for phase in job.method.phases():
        view = rows[phase.data]
        stored = storable(job, phase, view)
        if stored is None:
            continue
        cache, _ = open_cache(job, stored, view, folder)
        total, per_epoch = steps_of(job.config, phase, len(view))
        decision = decide_phase(
            job,
            stored,
            folder,
            num_rows=len(view),
            num_tokens=int(view.lengths.sum()),
            passes=total / per_epoch,
            present=cache.num_present() / len(view),
            beside=sum(size for place, size in sizes.items() if place != str(cache.folder)),
        )
        if decision.use:
            sizes[str(cache.folder)] = cache.num_bytes
        found[phase.name] = {
            "stored": decision.use,
            "text": decision.text,
            "bytes": cache.num_bytes if decision.use else 0,
            "cache": str(cache.folder) if decision.use else None,
        }
        log.info("teacher in phase '%s': %s", phase.name, decision.text)
    if found:
        write_json(path, {"format": 1, "phases": found})


def _fault_of_file(path: Path) -> str | None:
    """What is wrong with ``teacher_cache.json``."""
    try:
        phases = read_object(path).get("phases")
    except (OSError, ValueError) as error:
        return fault_of(error)
    whole = isinstance(phases, dict) and all(isinstance(one, dict) for one in phases.values())
    return None if whole else "does not hold what a run writes"


def open_sources(
    job: Job, rows: Mapping[str, Source], folder: Path, console: Console, *, first_phase: int = 0
) -> dict[str, TeacherSource]:
    """The stored teacher of each phase that has one, filled; phases by name, the others run it live.

    All processes fill together; it comes before they join, since a rendezvous would time out.

    Args:
        job: The run.
        rows: The training rows by ``Phase.data``.
        folder: The run folder.
        console: For the progress.
        first_phase: Phases before it are finished.

    Raises:
        RunFailure: the disk is full.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    settled = read_object(path)["phases"]
    sources: dict[str, TeacherSource] = {}
    for phase in job.method.phases()[first_phase:]:
        if not settled.get(phase.name, {}).get("stored"):
            continue
        view = rows[phase.data]
        stored = storable(job, phase, view)
        assert stored is not None, phase.name
        cache, facts = open_cache(job, stored, view, folder)
        if rank() == 0:
            cache.describe(facts)
        _fill(job, stored, cache, view, console)
        sources[phase.name] = CachedTeacher(cache, stored.scaling)
    return sources


def _fill(job: Job, stored: Stored, cache: TeacherCache, rows: Source, console: Console) -> None:
    device, view = own_device(job), as_teacher_reads(rows)
    reader = job.reader.of_teacher

    def features(batch: Mapping[str, Tensor]) -> Any:
        with autocast(_precision(job), device):
            return stored.live.features(batch)

    compute = compute_with(
        features, stored.live.needs, lambda some: reader.batch_of(view, some), device
    )
    first = rank() * cache.num_shards // world_size()
    tokens = int(view.lengths.sum())
    with FillDisplay(console, len(view), tokens, rank() == 0) as shown:
        computed = cache.fill(compute, first=first, progress=shown.update)
    if device.type != "cpu":  # room for the student; scoring moves it back
        torch.nn.Module.to(stored.live.teacher, torch.device("cpu"))
    if rank() == 0:
        size = byte_size(cache.num_bytes)
        log.info("teacher's outputs: %s, %s", shown.summary(computed), size)


def own_device(job: Job) -> torch.device:
    """Each process its own GPU, which nothing has chosen yet."""
    device = device_of(job.config)
    if device.type == "cuda" and world_size() > 1:
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return device


def _precision(job: Job) -> str:
    return precision_of(fp16=job.config.fp16, bf16=job.config.bf16)

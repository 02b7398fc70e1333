"""States of what of a student is not trained, stored for each different text as the teacher's outputs are.

Such a part is a ``features.frozen.FrozenPart``: the language model of a frozen ELMo. What was decided is
written into the run folder when the run begins, so a run that goes on keeps to it. Evaluation computes.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..data.blocks import Blocks
from ..data.caches import note_user
from ..data.fingerprint import state_sha256
from ..data.teacher_cache import Layout, Part, TeacherCache, cache_fingerprint
from ..data.teacher_cache_rule import CacheCost, CacheDecision, decide
from ..data.views import View
from ..disk.json_file import known_object
from ..disk.write import write_json
from ..features.frozen import PLACES, STATES, FrozenPart, frozen_part
from ..figures import byte_size
from .cached_teacher import padded_again
from .device import device_of
from .launch import rank, world_size
from .phases import steps_of
from .precision import autocast, precision_of, type_in
from .progress import FillDisplay
from .resources import existing_parent
from .stored_teacher import FILE as OF_TEACHER
from .stored_teacher import own_device
from .storing import cache_folder, inner_parameters

if TYPE_CHECKING:
    from rich.console import Console

    from ..run.job import Job

log = logging.getLogger("chatstill")
Source = View | Blocks
FILE, FOLDER = "student_states.json", "states"
BATCH_ROWS = 64


class Texts(NamedTuple):
    """The different texts of some rows; their numbers do not hang on the order of the rows.

    Attributes:
        ids: Of each, as 32-bit numbers.
        places: (N,) of each.
        of_rows: By kind (R, S), the numbers of each row's texts.
    """

    ids: list[bytes]
    places: np.ndarray
    of_rows: dict[str, np.ndarray]

    def places_of(self, kind: str) -> int:
        """Of the texts of all rows of a kind, each as often as it stands there."""
        return int(self.places[self.of_rows[kind]].sum())


class FrozenStates:
    """Gives batches the states of their texts from disk.

    Args:
        cache: Filled before; its rows are the texts.
        of_rows: (R, S) the numbers of each row's texts.
        type_: Of the states as they were computed.
    """

    def __init__(self, cache: TeacherCache, of_rows: np.ndarray, type_: torch.dtype) -> None:
        self.cache, self.of_rows, self.type = cache, of_rows, type_

    def added(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The batch with ``STATES`` (S B, T, K) and ``PLACES`` (S B,) of its rows ``batch["index"]`` (B,)."""
        index = batch["index"]
        texts = self.of_rows[index.cpu().numpy()].T.ravel()
        places = torch.from_numpy(self.cache.lengths[texts])
        states = padded_again(torch.from_numpy(self.cache.read(texts)[STATES]), _mask(places))
        states = states.to(index.device, self.type)
        return {**batch, STATES: states, PLACES: places.to(index.device)}


def part_of(job: Job) -> FrozenPart | None:
    """What of the student may be stored."""
    return None if job.method.makes_tokens else frozen_part(job.method.student)


def texts_in(job: Job, part: FrozenPart, rows: Mapping[str, Source]) -> Texts:
    """The different texts of rows by ``Phase.data``; all rows are read once."""
    known: dict[bytes, int] = {}
    found = {}
    for kind, source in rows.items():
        numbers: list[list[int]] = []
        for start in range(0, len(source), BATCH_ROWS):
            some = np.arange(start, min(start + BATCH_ROWS, len(source)))
            batch = job.reader.batch(source, some)
            ids, own = batch["input_ids"].numpy(), [side.numpy() for side in part.texts(batch)]
            for row, one in enumerate(ids.astype(np.int32)):
                keys = [one[side[row]].tobytes() for side in own]
                numbers.append([known.setdefault(key, len(known)) for key in keys])
        found[kind] = np.array(numbers, np.int64)
    ordered = sorted(known)
    number_of = np.empty(len(known), np.int64)
    number_of[[known[key] for key in ordered]] = np.arange(len(known))
    places = np.array([part.places(_ids(key)) for key in ordered], np.int64)
    return Texts(ordered, places, {kind: number_of[each] for kind, each in found.items()})


def decide_states(
    job: Job,
    part: FrozenPart,
    folder: Path,
    rows: Mapping[str, tuple[int, float]],
    places: int,
    said: str,
    beside: int,
    present: float = 0.0,
) -> CacheDecision:
    """The rule of ``data.teacher_cache_rule``; where the budget does not allow it the run computes as ever.

    Args:
        job: The run.
        part: What would be stored.
        folder: The run folder.
        rows: By ``Phase.data``, how many, and the places of all their texts.
        places: Of the different texts.
        said: That number in words.
        beside: Bytes of the teacher's outputs that are stored.
        present: Share of the texts whose states lie there already.
    """
    read = 0.0
    for phase in job.method.phases():
        steps, per_epoch = steps_of(job.config, phase, rows[phase.data][0])
        read += steps / per_epoch * rows[phase.data][1]
    cost = CacheCost(
        num_bytes=_layout(part).total_bytes(0, places),
        num_tokens=places,
        passes=read / max(places, 1),
        flops_per_token=2.0 * inner_parameters(part.module),
        parts=f"{part.in_words[0]} of {said} {part.in_words[1]}",
        present=present,
        beside=beside,
    )
    found = decide(
        job.config.teacher_cache,
        job.config.teacher_cache_budget_gb,
        cost,
        device=device_of(job.config).type,
        free_bytes=shutil.disk_usage(existing_parent(cache_folder(job, folder, FOLDER))).free,
    )
    against = found.wanted and not found.use
    return CacheDecision(
        found.use, f"live: {found.text}" if against else found.text, found.num_bytes
    )


def settle_states(job: Job, rows: Mapping[str, Source], folder: Path) -> Texts | None:
    """Decides for a new run and writes ``student_states.json``; the first process alone.

    Args:
        job: The run.
        rows: The training rows by ``Phase.data``.
        folder: The run folder.

    Returns:
        The texts, where they were read.
    """
    part, path = part_of(job), folder / FILE
    if part is None or isinstance(known_object(path).get("stored"), bool):
        return None
    if path.is_file():
        log.warning("%s does not hold what a run writes: it is decided anew", path)
    texts = texts_in(job, part, rows)
    cache, _ = _open(job, part, texts, folder)
    phases = known_object(folder / OF_TEACHER).get("phases")
    of_teacher = phases.values() if isinstance(phases, dict) else ()
    number, places = len(texts.ids), int(texts.places.sum())
    decision = decide_states(
        job,
        part,
        folder,
        {kind: (len(source), texts.places_of(kind)) for kind, source in rows.items()},
        places,
        f"{number:,} different texts, {places:,}",
        sum(int(phase.get("bytes", 0)) for phase in of_teacher),
        cache.num_present() / max(number, 1),
    )
    facts = {"format": 1, "stored": decision.use, "text": decision.text}
    facts |= {"bytes": decision.num_bytes, "cache": str(cache.folder) if decision.use else None}
    write_json(path, facts)
    log.info("student's states: %s", decision.text)
    return texts


def open_states(
    job: Job,
    rows: Mapping[str, Source],
    folder: Path,
    console: Console,
    texts: Texts | None = None,
    *,
    first_phase: int = 0,
) -> dict[str, FrozenStates]:
    """By phase, the states of its rows' texts, filled by all processes; empty where they are computed.

    Args:
        job: The run.
        rows: The training rows by ``Phase.data``.
        folder: The run folder.
        console: For the progress.
        texts: Of the rows, where they were read before.
        first_phase: Phases before it are finished.

    Raises:
        RunFailure: the disk is full, or a state is not finite.
    """
    part, phases = part_of(job), job.method.phases()[first_phase:]
    stored = known_object(folder / FILE).get("stored") is True
    if part is None or not stored or not phases:
        return {}
    texts = texts_in(job, part, rows) if texts is None else texts
    cache, facts = _open(job, part, texts, folder)
    if rank() == 0:
        cache.describe(facts)
        note_user(cache.folder, folder)
    _fill(job, part, cache, texts, console)
    type_ = type_in(_precision(job))
    return {phase.name: FrozenStates(cache, texts.of_rows[phase.data], type_) for phase in phases}


def _open(
    job: Job, part: FrozenPart, texts: Texts, folder: Path
) -> tuple[TeacherCache, dict[str, Any]]:
    digest = hashlib.sha256()
    for key in texts.ids:
        digest.update(len(key).to_bytes(8, "little") + key)
    sources = {
        "student": state_sha256(part.module.state_dict()),
        "architecture": dict(part.facts),
        "texts": digest.hexdigest(),
        "precision": _precision(job),
    }
    name, home = cache_fingerprint(_layout(part), sources), cache_folder(job, folder, FOLDER)
    return TeacherCache(home, name, _layout(part), texts.places, "the student's"), sources


def _fill(job: Job, part: FrozenPart, cache: TeacherCache, texts: Texts, console: Console) -> None:
    device = own_device(job)
    part.module.to(device)

    @torch.no_grad()
    def compute(some: np.ndarray) -> dict[str, np.ndarray]:
        ids, own = _padded([_ids(texts.ids[number]) for number in some])
        with autocast(_precision(job), device):
            states = part.states(ids.to(device), own.to(device)).float().cpu()
        return {STATES: states[_mask(torch.from_numpy(texts.places[some]))].numpy()}

    first = rank() * cache.num_shards // world_size()
    number, places = len(texts.ids), int(texts.places.sum())
    with FillDisplay(console, number, places, rank() == 0, "student's states") as shown:
        computed = cache.fill(compute, first=first, progress=shown.update)
    if rank() == 0:
        size = byte_size(cache.num_bytes)
        log.info("student's states: %s, %s", shown.summary(computed), size)


def _precision(job: Job) -> str:
    return precision_of(fp16=job.config.fp16, bf16=job.config.bf16)


def _layout(part: FrozenPart) -> Layout:
    """In 32 bits, which hold those of a run in 16 bits as they are."""
    return Layout((Part(STATES, (part.width,), "float32", per_token=True),))


def _ids(key: bytes) -> np.ndarray:
    return np.frombuffer(key, np.int32)


def _padded(texts: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Ids (N, L), and which of them are a text's (N, L)."""
    own = _mask(torch.tensor([len(ids) for ids in texts]))
    ids = torch.zeros(own.shape, dtype=torch.long)
    ids[own] = torch.from_numpy(np.concatenate(texts).astype(np.int64))
    return ids, own


def _mask(lengths: Tensor) -> Tensor:
    """(N, T) bool, true in the first places of each row, T the most of them."""
    return torch.arange(int(lengths.max())) < lengths[:, None]

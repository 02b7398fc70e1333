"""Writes the kept network's folder (weights, calibration in its config, card) and the noisy labels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..disk.write import write_text
from ..evaluate.calibration import calibrate, threshold_like
from ..evaluate.noise import as_lines, disagreements
from ..methods.base import Method
from ..models.custom import own_type
from ..models.networks import network
from ..models.own import CLASSIFIER, LABELS, POSITIVE, UNTRAINED
from ..models.save import save_student
from ..report.card import CardFacts, model_card
from ..text.normalize import normalizes
from ..train.ending import Ended
from .job import Job
from .phase_rows import Views
from .train import Trained

NOISE = "label_noise.tsv"


def calibration_of(job: Job, trained: Trained, labels: np.ndarray) -> dict[str, Any]:
    """``calibration`` and, with two classes and a teacher, ``threshold`` of ``metrics.json``.

    Empty for what is no classification, and without scores.
    """
    space = job.task.labels
    if trained.scores is None or space.kind != "classification":
        return {}
    known = ~np.isnan(labels)
    if not known.any() or labels[known].max() >= len(space.names):
        return {}
    scores, labels = trained.scores[known], labels[known].astype(np.int64)
    found: dict[str, Any] = {"calibration": {**calibrate(scores, labels), "fitted_on": "dev"}}
    if trained.teacher_scores is not None and len(space.names) == 2 and space.positive is not None:
        temperature = found["calibration"]["temperature"]
        teacher, counts = trained.teacher_scores[known], space.names.index(space.positive)
        threshold = threshold_like(scores, teacher, labels, temperature, counts)
        found["threshold"] = {"label": space.positive, **threshold}
    return found


def save_kept(
    job: Job, target: Path, calibration: dict[str, Any], ended: Ended | None = None
) -> dict[str, Any]:
    """Writes the kept network; returns the block ``chatstill`` of its config."""
    extras: dict[str, Any] = {CLASSIFIER: UNTRAINED} if _untaught(job.method, ended) else {}
    if job.config.preprocess:
        extras["preprocess"] = job.config.preprocess
    if calibration:
        extras["temperature"] = calibration["calibration"]["temperature"]
    if calibration.get("threshold", {}).get("probability") is not None:
        extras["threshold"] = calibration["threshold"]["probability"]
    space, kept = job.task.labels, job.method.kept()
    if space.kind == "classification" and space.positive is not None:
        extras[POSITIVE] = space.positive
    if len(space.names) == 2 and kept.config.num_labels == 1:
        extras[LABELS] = list(space.names)
    save_student(kept, job.tokenizer, target, job.names, job.task.labels.kind, extras)
    return extras


def _untaught(method: Method, ended: Ended | None) -> bool:
    """Whether no term taught the classifier, or the run was ended before a phase on the task's rows."""
    if not method.trains_outputs or ended is None:
        return not method.trains_outputs
    phases = method.phases()
    last = [phase.name for phase in phases].index(ended.phase)
    return all(phase.data != "train" for phase in phases[: last + 1])


def stand_in(job: Job, folder: Path) -> None:
    """Writes the network as it is, for links of a chain that are checked before it is trained."""
    save_student(job.method.kept(), job.tokenizer, folder, job.names, job.task.labels.kind)


def write_card(
    job: Job,
    folder: Path,
    extras: dict[str, Any],
    metrics: dict[str, Any] | None,
    remarks: Sequence[str] = (),
) -> None:
    """The model card of the kept network, in its folder; ``remarks`` say where its training ended."""
    block = job.config.teacher_architectures
    teacher = (block.model_name_or_path or block.config_file or "") if block is not None else ""
    parts = Path(teacher).parts if Path(teacher).exists() else ()
    custom = own_type(job.method.kept().config.model_type)
    known: dict[str, Any] = (
        {"file": Path(custom.plugin).name, "class_name": custom.model.__name__} if custom else {}
    )
    ours, config = network(job.method.kept().config.model_type), job.config
    known |= {"ours": ours is not None, "cuts_texts": ours is not None and ours.cuts_texts}
    known["lengths_are"] = getattr(job.tokenizer, "lengths_are", "tokens")
    facts = CardFacts(
        task=job.task.name,
        method=str(job.config.model_type) if job.verb == "distill" else "finetune",
        teacher="/".join(parts[-2:]) or teacher,  # of a local path no more than its end
        pairs=next(iter(job.rows.as_written("dev"))).text_b is not None,
        labels=job.names,
        max_seq_length=config.max_seq_length,
        side_lengths=(config.max_query_length, config.max_reply_length),
        truncation_side=config.truncation_side,
        normalize=normalizes(job.tokenizer),
        preprocess=job.config.preprocess,
        extras=extras,
        ended=list(remarks),
        untrained=CLASSIFIER in extras,
        has_vectors=hasattr(job.method.kept(), "text_vectors"),
        **known,
    )
    write_text(folder / "README.md", model_card(facts, metrics))


def write_noise(job: Job, views: Views, trained: Trained, folder: Path) -> None:
    """``label_noise.tsv``: rows of the splits of ``label_noise`` where teacher and label disagree."""
    found = []
    scored = (
        ("train", trained.train_scores, views.train),
        ("dev", trained.teacher_scores, views.dev),
    )
    for split, scores, view in scored:
        if scores is None or view is None or split not in job.config.label_noise:
            continue
        labels = np.asarray(view.labels)
        rows = job.rows.as_written(split)
        words, sections = job.task.label_words, not job.task.ranking
        found.append(disagreements(split, rows, scores, labels, job.task.labels, words, sections))
    if found:
        write_text(folder / NOISE, "\n".join(as_lines(chain(*found))) + "\n")

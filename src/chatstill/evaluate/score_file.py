"""Scores of any file by the network of any folder."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import ValidationError

from ..config.schema import Architecture, RunConfig, RunKeys
from ..config.task import task_of
from ..config.weights import read_json
from ..data.splits import label_width, lengths_of, lengths_of_network
from ..data.views import View
from ..disk.run_files import resolved_values
from ..disk.scratch import scratch_folder
from ..errors import Problem, UserError
from ..figures import counted
from ..models.custom import register
from ..models.label_columns import LabelMatch, match_labels
from ..models.lengths import usable_positions
from ..models.load import load_classifier
from ..models.outputs import set_reading
from ..models.own import (
    BLOCK,
    CLASSIFIER,
    CONVERSION,
    LABELS,
    POSITIVE,
    UNTRAINED,
    other_conversion,
    other_positive,
    own_block,
)
from ..models.reads_rows import reading_problems
from ..readers.pair import PairReader
from ..tasks.base import Split, Task
from ..tasks.label_names import names_of_outputs
from ..tasks.tabular import TabularTask
from ..tasks.transfer import scored_rows
from ..text.known_words import wordless
from ..text.preprocess import preprocessed
from ..text.tokenizers import resolve_tokenizer
from ..train.device import device_of
from .scoring import score, teacher_reading


def task_for(folder: Path, config: RunConfig) -> Task:
    """The run's task; what no key and no training rows tell of its classes, the network of a folder does.

    Its label names stand in for rows that are not there, and the class that counted where it was trained
    stands before what the names of the classes say.
    """
    values = read_json(folder / "config.json")[0] or {}
    block = values.get(BLOCK)
    block = block if isinstance(block, dict) else {}
    names = names_of_outputs(values, "MODEL", str(folder / "config.json"))
    if len(names) == 1 and isinstance(both := block.get(LABELS), list):
        names = list(map(str, both))

    def made(config: RunConfig) -> Task:
        task = task_of(config)
        return task.with_names(tuple(names)) if names and isinstance(task, TabularTask) else task

    counts = block.get(POSITIVE)
    if config.positive_label is None and isinstance(counts, str):
        try:
            task = made(config.model_copy(update={"positive_label": counts}))
            if task.labels.positive == counts:
                return task
        except UserError:  # another task, or rows of other classes
            pass
    return made(config)


class Opened(NamedTuple):
    """A network that is ready to score: on its device, with the lengths that it serves."""

    model: Any
    tokenizer: Any
    match: LabelMatch
    config: RunConfig
    warnings: list[Problem]


def open_model(folder: Path, config: RunConfig) -> Opened:
    """The network of a folder, on the best device.

    Raises:
        UserError: it cannot be loaded, does not answer the task, or cannot read rows.
    """
    task = task_for(folder, config)
    register(config.plugins)
    block = Architecture(model_name_or_path=str(folder))
    kind = task.labels.kind  # of the rows: what is wrong with them is not wrong with the network
    try:
        loaded = load_classifier(
            block,
            role="teacher",
            num_labels=None,
            label_names=None,
            problem=kind,
            cache_dir=config.cache_dir,
            strict_head=True,
        )
    except UserError as error:  # the network was named on the command line, not in a file
        named = [
            problem if ".py" in problem.place else dataclasses.replace(problem, place="MODEL")
            for problem in error.problems
        ]
        raise UserError(named) from error
    tokenizer = resolve_tokenizer(
        config.tokenizer_name_or_path,
        str(folder),
        None,
        config.do_lower_case,
        config.cache_dir,
        config.normalize,
    )
    match = match_labels(loaded.model.config, task.labels, role="model")
    if match.errors:
        raise UserError(match.errors)
    if is_teacher(folder, config):
        set_reading(loaded.model, teacher_reading(config, task, match.objective))
    config, warnings = fitting_length(config, loaded.model)
    found = reading_problems(loaded.model, tokenizer, config, role="model")
    if errors := [problem for problem in found if problem.severity == "error"]:
        raise UserError(errors)
    warnings += [*match.warnings, *found]
    own = own_block(loaded.model.config)
    warnings += other_positive(loaded.model.config, task.labels, "MODEL", "network")
    if config.preprocess and (other := other_conversion(own, config.preprocess, "network")):
        warnings.append(other)
    if own.get(CLASSIFIER) == UNTRAINED:
        message = "no term trained this network's classifier: its answers say nothing"
        hint = "Go on with a run that trains it."
        warnings.append(Problem("MODEL", message, hint, "warning", code="answers.not-trained"))
    torch.nn.Module.to(loaded.model, device_of(config))
    return Opened(loaded.model, tokenizer, match, config, warnings)


def is_teacher(folder: Path, config: RunConfig) -> bool:
    """Whether a folder is the one that the configuration names as teacher, so that its keys hold."""
    block = config.teacher_architectures
    named = block.model_name_or_path if block is not None else None
    return named is not None and Path(named).expanduser().resolve() == folder.resolve()


def fitting_length(config: RunConfig, model: Any) -> tuple[RunConfig, list[Problem]]:
    """The default length cut down to what the network serves, with a warning.

    A network that encodes each text alone brings the lengths of both, and where they are cut. A length that
    was asked for stays as it is.
    """
    usable = usable_positions(model.config, model)
    default = RunKeys.model_fields["max_seq_length"].default
    if own := lengths_of_network(config, model.config):
        config = config.model_copy(update=own)
        lengths = [value for value in own.values() if isinstance(value, int)]
        needed = sum(lengths) + model.config.separators + 2 if lengths else 0
        if config.max_seq_length == default < needed:
            return config.model_copy(update={"max_seq_length": needed}), []
    if usable is None or usable < 4 or not config.max_seq_length == default > usable:
        return config, []
    message = f"rows are cut to {usable} tokens: the network's position table serves no more"
    warning = Problem(
        "max_seq_length", message, severity="warning", code="lengths.cut-to-the-position-table"
    )
    return config.model_copy(update={"max_seq_length": usable}), [warning]


class Scored(NamedTuple):
    """Scores of a file's rows (N, C), the rows, and what the user should know of both."""

    scores: np.ndarray
    view: View
    warnings: list[Problem]


def scores_of(folder: Path, config: RunConfig, path: Path, split: Split, labelled: bool) -> Scored:
    """Scores of every row of a file by the network of a folder."""
    from ..data.views import prepare_view

    task = task_for(folder, config)
    model, tokenizer, match, config, warnings = open_model(folder, as_trained(folder, config))
    reader = PairReader(model, None, tokenizer, None, match, lengths_of(config))
    with scratch_folder() as cache:
        known = own_block(model.config).get(CONVERSION)
        read = scored_rows(task, path, split, labelled, skips=config.skip_unlabeled)
        rows = preprocessed(read, config.preprocess or known)
        view = prepare_view(
            rows,
            reader.encoder(model),
            cache,
            source_fingerprint=str(path),
            label_width=label_width(task),
        )
        scores = score(model, view, reader.of(model), batch_size=config.per_gpu_eval_batch_size)
        warnings += [*rows.warnings, *_of_unknown_words(model, tokenizer, view, path)]
        return Scored(scores, view, warnings)


def _of_unknown_words(model: Any, tokenizer: Any, view: View, path: Path) -> list[Problem]:
    """A warning about rows of which a network of words knows none; pieces of words make up any."""
    if not hasattr(model, "text_vectors"):
        return []
    rows = (view.ids[start:end].tolist() for start, end in pairwise(view.offsets.tolist()))
    if not (unknown := wordless(rows, tokenizer)):
        return []
    message = f"{counted(unknown, 'row holds', 'rows hold')} no word that the network knows"
    hint = "Its answers say nothing of them."
    return [Problem(str(path), message, hint, "warning", code="answers.no-known-word")]


def as_trained(folder: Path, config: RunConfig) -> RunConfig:
    """The lengths that a run cut its rows to, where the configuration does not name others."""
    found = resolved_values(folder.parent)
    keys = ("max_seq_length", "max_query_length", "max_reply_length", "truncation_side")
    trained_with = {
        key: found[key] for key in keys if key in found and key not in config.model_fields_set
    }
    try:
        RunKeys.model_validate(trained_with, strict=True)
    except ValidationError:  # not what a run wrote
        return config
    return config.model_copy(update=trained_with)

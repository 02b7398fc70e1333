"""The rows of ``"use_augmented": true``: there, written by ``chatstill augment``, and not stale."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..augment.keys import MODEL
from ..augment.record import (
    Sources,
    changed,
    doubts_of,
    is_output_of,
    read_record,
)
from ..errors import Problem, UserError
from ..tasks import without_labels
from .networks import PRETRAINED, check_network
from .schema import Architecture, RunKeys
from .source import Source
from .task import plain_task

if TYPE_CHECKING:
    from typing import Any

PATH = ("use_augmented",)


def check_augmented(keys: RunKeys, source: Source, plugins: tuple[str, ...]) -> list[Problem]:
    """All findings: what is stale is an error, as training on other rows than asked for would be."""
    task = plain_task(keys, plugins)
    data_dir = Path(keys.data_dir)
    train = task.find("train", data_dir)
    if train is None:
        return []  # told with the task's files
    sources = Sources(task, data_dir, train)
    output = sources.rows_file
    verb = _command(source)
    if not output.is_file():
        message = f"'use_augmented' is true, and there is no {output}."
        return [source.problem(PATH, message, f"Write it: {verb}", code="augment.no-file")]
    record = read_record(sources.record_file)
    if record is None or not is_output_of(record, output):
        message = f"'use_augmented': {output} is not as `chatstill augment` left it, or has no record of it."
        hint = (
            f"Move it away and write it anew: {verb}. Rows of your own: name them as training rows."
        )
        return [source.problem(PATH, message, hint, code="augment.not-its-record")]
    try:
        now = _now(keys, record, sources)
    except UserError as error:
        return error.problems
    found = changed(record, now)
    if not found:
        return []
    message = f"'use_augmented': {output} is stale, so it is not used; changed: {'; '.join(found)}."
    hint = f'Write it anew: {verb}. Or train without it: "use_augmented": false.'
    return [source.problem(PATH, message, hint, code="augment.stale")]


def augmented_facts(keys: RunKeys) -> "dict[str, Any]":
    """``augmented`` with method, originals and copies of a run on augmented rows; empty for others."""
    if not keys.use_augmented:
        return {}
    task, data_dir = plain_task(keys, None), Path(keys.data_dir)
    train = task.find("train", data_dir)
    record = None if train is None else read_record(Sources(task, data_dir, train).record_file)
    settings, rows = (record or {}).get("made_of", {}).get("settings"), (record or {}).get("rows")
    if not (
        isinstance(settings, dict) and isinstance(rows, dict)
    ):  # gone or changed since it began
        return {}
    return {"augmented": {"method": settings.get("method"), **rows}}


def augmented_doubts(keys: RunKeys) -> list[Problem]:
    """What `chatstill augment` warned of its model, for the plan of a run on its rows."""
    task, data_dir = plain_task(keys, None), Path(keys.data_dir)
    train = task.find("train", data_dir) if keys.use_augmented else None
    if train is None:
        return []
    sources = Sources(task, data_dir, train)
    hint = "Train the model further on such texts (docs/pretraining.md), and write the rows anew."
    return [
        Problem(
            "use_augmented",
            f"of the model that proposed the words of {sources.rows_file}: {doubt}",
            hint,
            "warning",
            code="augment.words-by-chance",
        )
        for doubt in doubts_of(read_record(sources.record_file) or {})
    ]


def _command(source: Source) -> str:
    """What writes the rows of this configuration, with its ``--set``."""
    named = [source.name] if source.name.endswith((".json", ".jsonc")) else []
    sets = dict.fromkeys(
        place.where.removeprefix("--set ")
        for place in source.places.values()
        if place.where.startswith("--set ")
    )
    words = ["chatstill", "augment", *named, *(word for one in sets for word in ("--set", one))]
    return shlex.join(words)


def _now(keys: RunKeys, record: "dict[str, Any]", sources: Sources) -> "dict[str, Any]":
    """What the rows would be made of today, as far as the configuration and the disk say it."""
    names, made_of, model = record.get("names", {}), record["made_of"], named_model(keys)
    tokenizer = names.get("tokenizer") if model is None else named_tokenizer(keys)
    sources = replace(sources, model=model or names.get("model"), tokenizer=tokenizer)
    now, block = sources.of_rows(), keys.augmentation
    if block is not None:
        # The usual number hangs on rows and task, which are compared by themselves.
        copies = block.copies or made_of.get("settings", {}).get("copies")
        now |= sources.of_keys(block.model_copy(update={"copies": copies}))
        vectors = block.word_vectors
        if vectors not in (None, MODEL) and not Path(str(vectors)).is_file():
            del now["word_vectors"]  # it lies elsewhere, as does a model that is not here
        if now.get("tagger", "") is None:
            del now["tagger"]  # so does its module
    elif made_of.get("model") is not None:
        now |= sources.of_model()
    for key, path in (("model", sources.model), ("tokenizer", sources.tokenizer)):
        by_name = "name" in (made_of.get(key) or {})
        if path is not None and not Path(path).exists() and not by_name:
            now.pop(key, None)  # its files lie elsewhere: nothing is known of them here
    return now


def named_model(keys: RunKeys) -> str | None:
    """Folder or name of the masked language model of the configuration; None where it names none."""
    block, pretrained = keys.augmentation, keys.pretrained_architectures
    if block is not None and block.model_name_or_path is not None:
        return block.model_name_or_path
    return None if pretrained is None else pretrained.model_name_or_path


def named_tokenizer(keys: RunKeys) -> str | None:
    """Folder or name of the model's tokenizer where another than its own is named, beside its block."""
    block, pretrained = keys.augmentation, keys.pretrained_architectures
    if pretrained is None or (block is not None and block.model_name_or_path is not None):
        return None
    return pretrained.tokenizer_name_or_path or keys.tokenizer_name_or_path


def check_augmentation(keys: RunKeys, source: Source) -> list[Problem]:
    """What `chatstill augment` needs of its block."""
    block, found = keys.augmentation, []
    if keys.data is None and without_labels(keys.task_name):
        message = (
            f"'task_name': {keys.task_name} is text without labels, there are no rows to copy."
        )
        hint = "Name a task with labels."
        found.append(source.problem(("task_name",), message, hint, code="augment.of-a-corpus"))
    if block is not None and block.method == "bilstm":
        total = block.mask_probability + block.tag_probability
        if total > 1 + 1e-9:
            message = (
                f"'mask_probability' and 'tag_probability' add up to {total:g}, expected at most 1."
            )
            hint = "They are shares of the same words: lower one."
            place = ("augmentation", "tag_probability")
            found.append(source.problem(place, message, hint, code="augment.shares-above-one"))
        return found
    if named_model(keys) is None:
        message = "the masked language model is missing, which proposes words."
        hint = (
            'Name its folder: "augmentation": {"model_name_or_path": "…"}, or --pretrained_bert_model '
            'FOLDER. By rules alone: "augmentation": {"method": "bilstm"}.'
        )
        place = ("augmentation", "model_name_or_path")
        found.append(source.problem(place, message, hint, code="augment.model-missing"))
    elif block is not None and block.model_name_or_path is not None:
        network = Architecture(model_name_or_path=block.model_name_or_path)
        found += check_network(network, source, "augmentation", required=True)
    elif keys.pretrained_architectures is not None:
        found += check_network(keys.pretrained_architectures, source, PRETRAINED, required=True)
    vectors = None if block is None else block.word_vectors
    if vectors not in (None, MODEL) and not Path(str(vectors)).is_file():
        message = f"'augmentation.word_vectors': there is no file {vectors}."
        hint = 'Name a text file in GloVe\'s format, or "model".'
        place = ("augmentation", "word_vectors")
        found.append(source.problem(place, message, hint, code="augment.vectors-missing"))
    return found

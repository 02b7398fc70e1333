"""Results of a run and of single networks: the student's folder, metrics, predictions."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from . import lookup
from .config.chain import DIRECT
from .config.schema import Architecture, RunConfig, RunKeys
from .data.views import View
from .errors import Problem, UserError
from .evaluate.results import compare, judge, result_lines, write_json, write_text
from .evaluate.scoring import score
from .evaluate.speed import count_parameters, device_name, size_megabytes
from .fingerprint import run_facts
from .job import Job, device_of, lengths_of, reader_for, set_padding
from .models.load import load_classifier
from .models.own import own_block
from .models.save import recover_saved, save_student
from .preflight.labels import LabelMatch, match_labels
from .report.card import CardFacts, model_card
from .report.run import write_run_report
from .running import Trained, Views
from .tasks.base import Split
from .tasks.files import listed, locate
from .tasks.predictions import write_predictions
from .text.normalize import normalizes
from .text.preprocess import preprocessed
from .text.tokenizers import resolve_tokenizer

FORMAT = 1
FOLDERS = ("student", "teacher")


def kept_folder(run: Path) -> Path | None:
    """The network that a run folder holds, a chain's last, or a plain model folder; else None."""
    for name in FOLDERS:
        recover_saved(run / name)
        if (run / name / "config.json").is_file():
            return run / name
    if (run / "config.json").is_file():
        return run
    try:
        text = (run / "metrics.json").read_text(encoding="utf-8")
        links = [link for link in json.loads(text)["links"] if link["name"] != DIRECT]
        return kept_folder(run / links[-1]["name"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def report_run(
    job: Job, views: Views, folder: Path, trained: Trained, seconds: float
) -> dict[str, Any] | None:
    """Writes the kept network, and with ``do_eval`` metrics and predictions."""
    kept = job.method.kept()
    target = folder / ("student" if job.verb == "distill" else "teacher")
    own = {"preprocess": job.config.preprocess} if job.config.preprocess else {}
    save_student(kept, job.tokenizer, target, job.names, job.task.labels.kind, own)
    if trained.scores is None:
        write_card(job, target, own, None)
        return None
    labels, groups = np.asarray(views.dev.labels), views.dev.groups
    metrics: dict[str, Any] = {
        "format": FORMAT,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "task": job.task.name,
        "verb": job.verb,
        "method": job.config.model_type if job.verb == "distill" else "finetune",
        "seed": job.config.seed,
        "dev": judge(job.task, trained.scores, labels, groups),
        "kept": _kept(job, trained),
        "model": _model_facts(kept, target),
        "training": {
            "seconds": seconds,
            "phases": [vars(phase) for phase in trained.phases],
            "device": device_name(device_of(job.config)),
            "rows": len(views.train),
            "share_of_rows_cut": views.train.cut_share,
        },
        **run_facts(),
    }
    if trained.teacher_scores is not None and job.teacher is not None:
        teacher = judge(job.task, trained.teacher_scores, labels, groups)
        metrics["teacher"] = {**teacher, "parameters": count_parameters(job.teacher).total}
        metrics["agreement"] = compare(job.task, trained.scores, trained.teacher_scores)
        metrics["ratio"] = metrics["dev"]["value"] / teacher["value"] if teacher["value"] else None
    write_predictions(
        folder / "predictions.tsv",
        trained.scores,
        labels,
        _group_names(views.dev),
        job.task.label_words,
    )
    write_text(folder / "eval_results.txt", "\n".join(result_lines(metrics)) + "\n")
    write_json(folder / "metrics.json", metrics)
    write_card(job, target, own, metrics)
    write_run_report(folder)
    return metrics


def write_card(job: Job, folder: Path, own: dict[str, Any], metrics: dict[str, Any] | None) -> None:
    """The model card of the kept network, in its folder."""
    block = job.config.teacher_architectures
    teacher = (block.model_name_or_path or block.config_file or "") if block is not None else ""
    parts = Path(teacher).parts if Path(teacher).exists() else ()
    facts = CardFacts(
        task=job.task.name,
        method=str(job.config.model_type) if job.verb == "distill" else "finetune",
        teacher="/".join(parts[-2:]) or teacher,  # of a local path no more than its end
        pairs=next(iter(job.rows("dev"))).text_b is not None,
        labels=job.names,
        max_seq_length=job.config.max_seq_length,
        normalize=normalizes(job.tokenizer),
        preprocess=job.config.preprocess,
        own=own,
    )
    write_text(folder / "README.md", model_card(facts, metrics))


def _kept(job: Job, trained: Trained) -> dict[str, Any]:
    last = trained.phases[-1]
    rule = job.config.keep
    if rule == "best" and last.best_step is not None:
        text = f"best on dev: step {last.best_step} of {last.steps} of phase '{last.name}'"
        text += " (chosen on the same dev set that is reported)"
        return {
            "rule": rule,
            "phase": last.name,
            "step": last.best_step,
            "chosen_on": "dev",
            "text": text,
        }
    text = f"last step: {last.steps} of phase '{last.name}'"
    return {"rule": "last", "phase": last.name, "step": last.steps, "chosen_on": None, "text": text}


def _model_facts(model: Any, folder: Path) -> dict[str, Any]:
    counted = count_parameters(model)
    return {
        "layers": int(model.config.num_hidden_layers),
        "parameters": counted.total,
        "parameters_without_embeddings": counted.without_embeddings,
        "megabytes": size_megabytes(folder),
    }


def _group_names(view: View) -> list[str] | None:
    if view.groups is None:
        return None
    names = view.group_names
    return [names[number] for number in view.groups]


def open_model(folder: Path, config: RunConfig) -> tuple[Any, Any, LabelMatch]:
    """(network, tokenizer, label match) of a folder, on the best device."""
    task = lookup.task(config.task_name, config.plugins)
    block = Architecture(model_name_or_path=str(folder))
    try:
        loaded = load_classifier(
            block,
            role="teacher",
            num_labels=None,
            label_names=None,
            problem=task.labels.kind,
            cache_dir=config.cache_dir,
            strict_head=True,
        )
    except UserError as error:  # the network was named on the command line, not in a file
        named = [dataclasses.replace(problem, place="MODEL") for problem in error.problems]
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
    set_padding(loaded.model, tokenizer)
    torch.nn.Module.to(loaded.model, device_of(config))
    return loaded.model, tokenizer, match


class Scored(NamedTuple):
    """Scores of a file's rows (N, C), the rows, and what the user should know of both."""

    scores: np.ndarray
    view: View
    warnings: list[Problem]


def scores_of(folder: Path, config: RunConfig, path: Path, split: Split, labelled: bool) -> Scored:
    """Scores of every row of a file by the network of a folder."""
    import tempfile

    from .data.views import prepare_view

    task = lookup.task(config.task_name, config.plugins)
    config = as_trained(folder, config)
    model, tokenizer, match = open_model(folder, config)
    with tempfile.TemporaryDirectory(prefix="chatstill-") as cache:
        known = own_block(model.config).get("preprocess")
        rows = preprocessed(task.read(path, split, labelled), config.preprocess or known)
        view = prepare_view(
            rows, tokenizer, lengths_of(config), Path(cache), source_fingerprint=str(path)
        )
        reader = reader_for(model, tokenizer, match)
        scores = score(model, view, reader, batch_size=config.per_gpu_eval_batch_size)
        return Scored(scores, view, [*match.warnings, *rows.warnings])


def as_trained(folder: Path, config: RunConfig) -> RunConfig:
    """The lengths that a run cut its rows to, where the configuration leaves them at their defaults."""
    try:
        text = (folder.parent / "config.resolved.json").read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError):
        return config
    keys = ("max_seq_length", "max_query_length", "max_reply_length", "truncation_side")
    own = {
        key: found[key]["value"]
        for key in keys
        if key in found and getattr(config, key) == RunKeys.model_fields[key].default
    }
    return config.model_copy(update=own)


def evaluate_folder(
    folder: Path, config: RunConfig, split: Split, output: Path | None
) -> dict[str, Any]:
    """Metrics of a network on a labelled split; ``lines`` holds them as text."""
    task = lookup.task(config.task_name, config.plugins)
    found = locate(task, split, Path(config.data_dir))
    scores, view, warnings = scores_of(folder, config, found.path, split, True)
    labels = np.asarray(view.labels)
    metrics: dict[str, Any] = {
        "format": FORMAT,
        "task": task.name,
        "model": str(folder),
        "split": split,
        "file": str(found.path),
        "dev": judge(task, scores, labels, view.groups),
    }
    files = listed(task, split, Path(config.data_dir))
    metrics["lines"] = [f"file = {files}", *result_lines(metrics)]
    metrics["lines"] += [f"warning = {warning.place}: {warning.message}" for warning in warnings]
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        write_predictions(
            output / "predictions.tsv", scores, labels, _group_names(view), task.label_words
        )
        write_text(output / "eval_results.txt", "\n".join(metrics["lines"]) + "\n")
        write_json(output / "metrics.json", metrics)
    return metrics


def _refuse_to_overwrite(target: Path, source: Path) -> None:
    """Only an older predictions file may be replaced, and never the rows themselves."""
    if not target.exists():
        return
    hint = "Name another file with --output, or remove this one yourself."
    if target.is_dir() or target.resolve() == source.resolve():
        what = "a folder" if target.is_dir() else "the file that is to be scored"
        raise UserError(Problem("--output", f"{target} is {what}", hint))
    with open(target, encoding="utf-8", errors="replace") as stream:
        first = stream.readline()
    if not (first.startswith("index\t") and "\tprediction\t" in first):
        raise UserError(Problem("--output", f"{target} exists and holds no predictions", hint))


def predict_file(
    folder: Path, file: Path, config: RunConfig, output: Path | None
) -> tuple[Path, list[Problem]]:
    """Scores every row of a file in file order; the file written, and warnings."""
    task = lookup.task(config.task_name, config.plugins)
    own_folder = getattr(task, "reads_folders", False) and file.is_dir()
    if not file.is_file() and not own_folder:
        raise UserError(Problem(str(file), "no such file"))
    scores, view, warnings = scores_of(folder, config, file, "test", False)
    beside = file / "test" if own_folder else file
    target = output or beside.with_name(f"{beside.name}.predictions.tsv")
    _refuse_to_overwrite(target, file)
    names: Sequence[str] | None = _group_names(view)
    write_predictions(target, scores, np.asarray(view.labels), names, task.label_words)
    return target, warnings

"""Results of a run and of single networks: the student's folder, metrics, predictions."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..config.augmented import augmented_facts
from ..config.schema import RunConfig
from ..data.views import View
from ..disk.run_files import last_link
from ..disk.write import write_json, write_text
from ..errors import Problem, UserError, shown
from ..evaluate.beside import Scored, add_rivals, check_rivals
from ..evaluate.gap import gap_warning
from ..evaluate.results import compare, judge, judge_loss, result_lines
from ..evaluate.score_file import scores_of, task_for
from ..evaluate.speed import count_parameters, device_name, size_megabytes
from ..models.layers import count_layers
from ..models.own import CLASSIFIER, NOT_TAUGHT
from ..models.save import kept_folder
from ..preflight.teacher import below_chance
from ..report.run import write_run_report
from ..tasks.base import Rows, Split, Task
from ..tasks.files import listed, locate
from ..tasks.predictions import write_predictions
from ..tasks.transfer import scored_rows
from ..train.device import device_of
from ..train.phases import PhaseResult, epochs_of
from . import output_taken
from .fingerprint import run_facts
from .job import Job, not_random
from .kept_network import calibration_of, save_kept, write_card, write_noise
from .phase_rows import Views
from .remarks import learnt, remarks_of
from .ties import ties
from .train import Trained

FORMAT = 1
# What held-out rows of a phase are (``Phase.data``), where they are not the task's.
UNITS = {"train": {}, "texts": {"unit": "texts"}, "corpus": {"unit": "blocks"}}


def report_run(
    job: Job, views: Views, folder: Path, trained: Trained, seconds: float
) -> dict[str, Any] | None:
    """Writes the kept network, and with ``do_eval`` metrics and, of a trained classifier, predictions."""
    target = folder / ("student" if job.verb == "distill" else "teacher")
    labels, groups = np.asarray(views.dev.labels), views.dev.groups
    calibration = calibration_of(job, trained, labels)
    extras = save_kept(job, target, calibration, trained.ended)
    remarks = remarks_of(job, trained)
    if trained.loss is not None:
        kind = job.method.phases()[len(trained.phases) - 1].data
        dev = judge_loss(trained.loss, len(views.held_out(kind))) | UNITS[kind]
    elif trained.scores is not None:
        learnt_from = None if views.train is None else np.asarray(views.train.labels)
        dev = judge(job.task, trained.scores, labels, groups, trained_on=learnt_from)
    else:
        write_card(job, target, extras, None, remarks)
        return None
    metrics = _metrics(job, views, target, trained, seconds, dev, calibration)
    metrics["model"] |= {"head": NOT_TAUGHT} if CLASSIFIER in extras else {}
    remarks += [*learnt(job, views, folder, trained), *ties(folder, trained.phases, metrics)]
    metrics["dev"]["warnings"] += remarks[trained.ended is not None :]
    _beside_teacher(job, views, trained, metrics)
    if trained.scores is not None:
        rows, path = job.rows.as_written("dev"), folder / "predictions.tsv"
        _write_predictions(path, job.task, trained.scores, views.dev, rows, job.config)
    write_text(folder / "eval_results.txt", "\n".join(result_lines(metrics)) + "\n")
    write_json(folder / "metrics.json", metrics)
    write_card(job, target, extras, metrics, remarks)
    write_noise(job, views, trained, folder)
    write_run_report(folder)
    return metrics


def _metrics(
    job: Job,
    views: Views,
    target: Path,
    trained: Trained,
    seconds: float,
    dev: dict[str, Any],
    calibration: dict[str, Any],
) -> dict[str, Any]:
    """What ``metrics.json`` holds of the kept network by itself."""
    metrics: dict[str, Any] = {
        "format": FORMAT,
        "finished": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "task": job.task.name,
        "verb": job.verb,
        "method": job.config.model_type if job.verb == "distill" else "finetune",
        "seed": job.config.seed,
        "dev": dev,
        "kept": kept_facts(job.config, trained.phases),
        "model": model_facts(job.method.kept(), target),
        "training": {
            "seconds": seconds,
            "phases": [
                {**vars(phase), "rows": rows, "epochs": epochs_of(job.config, phase.steps, rows)}
                for phase in trained.phases
                for rows in [views.num_rows(phase.data)]
            ],
            "device": device_name(device_of(job.config)),
            "rows": len(views.first),
            **augmented_facts(job.config),
            **({} if "train" in views.parts else UNITS[next(iter(views.parts))]),
            "share_of_rows_cut": views.first.cut_share if isinstance(views.first, View) else 0.0,
        },
        **({} if trained.ended is None else {"ended": trained.ended.facts()}),
        **calibration,
        **run_facts(),
    }
    return metrics


def _beside_teacher(job: Job, views: Views, trained: Trained, metrics: dict[str, Any]) -> None:
    """Adds the teacher's figures, where there is one."""
    if trained.scores is None or trained.teacher_scores is None or job.teacher is None:
        return
    labels = np.asarray(views.dev.labels)
    teacher = judge(job.task, trained.teacher_scores, labels, views.dev.groups)
    metrics["teacher"] = {**teacher, "parameters": count_parameters(job.teacher).total}
    metrics["agreement"] = compare(job.task, trained.scores, trained.teacher_scores)
    of_shares = teacher["value"] and not teacher["lower_is_better"]
    metrics["ratio"] = metrics["dev"]["value"] / teacher["value"] if of_shares else None
    metrics["dev"]["warnings"] += gap_warning(
        metrics["dev"],
        teacher,
        at_random=job.start == "random",
        all_but=not_random(job),
        steps=sum(phase.steps for phase in trained.phases),
        learning_rate=job.config.rate,
    )


def kept_facts(config: RunConfig, phases: Sequence[PhaseResult]) -> dict[str, Any]:
    """Which weights were kept, and why."""
    last = phases[-1]
    rule = config.keep or "last"
    if rule == "best" and last.best_step is not None:
        text = f"best on dev: step {last.best_step} of {last.steps} of phase '{last.name}'"
        text += f" (chosen on the same dev set that is reported{_stopped(config, last)})"
        return {
            "rule": rule,
            "phase": last.name,
            "step": last.best_step,
            "chosen_on": "dev",
            "text": text,
        }
    text = f"last step: {last.steps} of phase '{last.name}'{_stopped(config, last)}"
    return {"rule": "last", "phase": last.name, "step": last.steps, "chosen_on": None, "text": text}


def _stopped(config: RunConfig, last: PhaseResult) -> str:
    """That ``patience`` ended the phase before the steps that it was planned to have."""
    if config.patience is None or last.steps >= last.planned:
        return ""
    return f"; stopped by patience {config.patience} before the {last.planned:,} steps of the plan"


def model_facts(model: Any, folder: Path) -> dict[str, Any]:
    """Kind and size of the kept network."""
    counted = count_parameters(model)
    return {
        "kind": model.config.model_type,
        "layers": count_layers(model.config),
        "parameters": counted.total,
        "parameters_without_embeddings": counted.without_embeddings,
        "megabytes": size_megabytes(folder),
    }


def _group_names(view: View) -> list[str] | None:
    if view.groups is None:
        return None
    names = [*view.group_names, ""]  # -1, a row without a group, has the empty one
    return [names[number] for number in view.groups]


def network_lines(named: Path, taken: Path) -> list[str]:
    """Which network is taken where a folder was named that holds it; nothing for the network's own folder."""
    if named == taken:
        return []
    link = last_link(named)
    why = "" if link is None else f" (of the chain's link {link.name})"
    return [shown(f"network = {taken}{why}")]


def evaluate_folder(
    named: Path,
    config: RunConfig,
    split: Split,
    output: Path | None,
    *,
    rivals: Collection[str] = (),
) -> dict[str, Any]:
    """Metrics of a network on a labelled split; ``lines`` holds them as text.

    Args:
        named: Folder of the network, of its run or of a chain.
        config: The configuration.
        split: Which rows.
        output: Folder for the figures and predictions.
        rivals: Adds tables of them (``evaluate.beside``).
    """
    if output is not None:
        output_taken.check_evaluation_folder(output)
    folder = kept_folder(named) or named
    task = task_for(folder, config)
    found = locate(task, split, Path(config.data_dir))
    skips = config.skip_unlabeled
    train = check_rivals(rivals, task, config, found.path, split)
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
    metrics["lines"] = [*network_lines(named, folder), shown(f"file = {files}")]
    metrics["lines"] += result_lines(metrics)
    warnings = [*warnings, *below_chance(scores, labels, task.labels, view.groups)]
    metrics["lines"] += [f"warning = {warning.place}: {warning.message}" for warning in warnings]
    scored = Scored(found.path, split, scores, labels, view.groups)
    add_rivals(metrics, rivals, task, train, scored, skips=skips)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        rows = scored_rows(task, found.path, split, True, skips=skips)
        _write_predictions(output / output_taken.PREDICTIONS, task, scores, view, rows, config)
        write_text(output / output_taken.LINES, "\n".join(metrics["lines"]) + "\n")
        write_json(output / output_taken.FIGURES, metrics)
    return metrics


def _write_predictions(
    path: Path, task: Task, scores: np.ndarray, view: View, rows: Rows, config: RunConfig
) -> None:
    """Writes ``predictions.tsv``. ``rows`` reads the scored rows once more, in the file's order."""
    space = task.labels
    write_predictions(
        path,
        scores,
        np.asarray(view.labels),
        _group_names(view),
        task.label_words,
        multi_label=space.kind == "multi_label",
        swapped=bool(space.columns),
        positive=None if space.positive is None else space.names.index(space.positive),
        rows=rows,
        texts=config.predictions_texts,
    )


def predict_file(
    folder: Path, file: Path, config: RunConfig, output: Path | None
) -> tuple[Path, list[Problem]]:
    """Scores every row of a file in file order; the file written, and warnings."""
    task = task_for(folder, config)
    own_folder = task.reads_folders and file.is_dir()
    if not file.is_file() and not own_folder:
        raise UserError(Problem(str(file), "no such file", code="predict.no-such-file"))
    beside = file / "test" if own_folder else file
    target = output or beside.with_name(f"{beside.name}.predictions.tsv")
    output_taken.check_predictions_file(target, file)
    try:
        scores, view, warnings = scores_of(folder, config, file, "test", False)
    except UserError as error:
        raise UserError([_of_file(problem, file) for problem in error.problems]) from None
    _write_predictions(target, task, scores, view, task.read(file, "test", False), config)
    return target, warnings


def _of_file(problem: Problem, file: Path) -> Problem:
    """The keys of a block are those of the run's own files: another encoding is this file's to change."""
    if not problem.place.startswith(str(file)) or '"encoding"' not in problem.hint:
        return problem
    hint = "It is read as the run's own files are: convert it to their encoding (iconv -f … -t …)."
    return replace(problem, hint=hint)

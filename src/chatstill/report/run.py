"""The report of one run, from what its folder holds: ``report.html``."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..disk.json_file import read_object
from ..disk.run_files import resolved_entries
from ..disk.write import write_text
from ..figures import byte_size, counted, decimals, fitted
from .data import read_data_report
from .history import RATE, read_history
from .model import Measure, Report, ResultRow, Series
from .noise import read_noise
from .page import render_report
from .warned import read_warnings

FILE = "report.html"
NAMES = {"mrr": "MRR", "map": "MAP", "auc": "AUC", "f1": "F1", "r10@1": "R10@1", "p@1": "P@1"} | {
    "masked_acc": "masked accuracy",
    "next_acc": "next-token accuracy",
    "pseudo_perplexity": "pseudo-perplexity",
    "own_loss": "loss of its terms",
}
OF_A_HEAD = (
    "pseudo_perplexity",
    "perplexity",
)  # beside a loss that can be set beside others of its kind
NOT_SHOWN = ("random_", "groups")  # what a metric is compared with, and counts


def write_run_report(folder: Path) -> Path:
    """Writes ``report.html`` of a finished run into its folder and returns its path.

    Raises:
        FileNotFoundError: the folder has no ``metrics.json``.
    """
    return write_report(run_report(folder), folder / FILE)


def write_report(report: Report, path: Path) -> Path:
    """Writes a whole page or nothing."""
    write_text(path, render_report(report), newline="\n")
    return path


def run_report(folder: Path) -> Report:
    """Teacher and student, curves, configuration and versions of a run folder."""
    metrics = read_json(folder / "metrics.json")
    history = read_history(folder, [phase["steps"] for phase in metrics["training"]["phases"]])
    values = resolved_entries(folder)
    main = metrics["dev"]["main"]
    rows = [_student(metrics)]
    if "teacher" in metrics:
        teacher = metrics["teacher"]
        rows.insert(0, ResultRow("teacher", teacher["parameters"], metrics=measures(teacher)))
    rates, terms = history.curve(RATE), history.terms()
    losses = [Series(rows[-1].name, history.curve("loss"))]
    if main != "loss" and (on_dev := history.curve("dev/loss")):  # of phases that it selects
        losses.append(Series("on dev", on_dev))
    try:
        data = read_data_report(folder / "data_report.json")
    except (OSError, ValueError):  # damaged since the run began: a page without it
        data = {}
    return Report(
        title=f"{metrics['method']} on {metrics['task']}",
        summary=_summary(metrics),
        rows=rows,
        main_metric=main_of(metrics["dev"]),
        lower_is_better=bool(metrics["dev"].get("lower_is_better")),
        metric_names=NAMES,
        losses=losses,
        terms=[Series(*term) for term in terms.items()] if len(terms) > 1 else [],
        scores=[Series(rows[-1].name, history.curve(f"dev/{main}"))],
        rates=[Series(rows[-1].name, rates)] if rates else [],
        marks=history.marks(),
        configuration={key: entry["value"] for key, entry in values.items()},
        origins={key: entry["origin"] for key, entry in values.items()},
        versions=versions(metrics),
        notes=_notes(metrics),
        judged=metrics["dev"],
        noise=read_noise(folder),
        warnings=read_warnings(folder, data.get("warnings", ())),
        data=data,
    )


def versions(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Versions and the machine that a run's ``metrics.json`` names."""
    known = {name: str(version) for name, version in metrics.get("versions", {}).items()}
    known |= {name: str(value) for name, value in metrics.get("machine", {}).items()}
    device = metrics["training"].get("device")
    return {"device": device, **known} if device else known


def read_json(path: Path, *, missing_ok: bool = False) -> dict[str, Any]:
    """The JSON object of a file; empty if the file is missing and may be."""
    if missing_ok and not path.is_file():
        return {}
    return read_object(path)


def build_of(model: Mapping[str, Any]) -> str:
    """``3 layers``, or its kind where a network counts none."""
    if not model["layers"] and model.get("kind"):
        return str(model["kind"])
    return counted(model["layers"], "layer")


def _student(metrics: Mapping[str, Any]) -> ResultRow:
    model = metrics["model"]
    name = "student" if metrics["verb"] == "distill" else "fine-tuned network"
    if "documents" in metrics["training"] and "teacher" not in metrics:
        name = "network"
    return ResultRow(
        f"{name} ({build_of(model)})",
        model["parameters"],
        None if "teacher" in metrics else model["megabytes"],
        measures(metrics["dev"]),
        highlight=True,
    )


def main_of(judged: Mapping[str, Any]) -> str:
    """The main figure's name. The loss of a method's own terms is no figure of a head: it has another."""
    main = str(judged["main"])
    of_head = main != "loss" or any(name in judged["metrics"] for name in OF_A_HEAD)
    return main if of_head else "own_loss"


def measures(judged: Mapping[str, Any]) -> dict[str, Measure]:
    """The figures of the table, the main one first and with its interval.

    Of the metrics with a cut-off (``r@k``) the usual one stands for all.
    """
    found, first = judged["metrics"], main_of(judged)
    if first not in found:
        found = {first if key == judged["main"] else key: value for key, value in found.items()}
    cutoff = "r10@1" if "r10@1" in found else "p@1"
    keys = [first, *(key for key in found if key != first)]
    low, high = judged.get("interval") or (None, None)
    measures = {}
    for key in keys:
        value = found.get(key)
        if (
            key.startswith(NOT_SHOWN)
            or value is None
            or ("@" in key and key not in (first, cutoff))
        ):
            continue
        main, beside = key == first, guess_beside(judged, key)
        measures[key] = Measure(value, low, high, beside) if main else Measure(value, beside=beside)
    return measures


def guess_beside(judged: Mapping[str, Any], key: str) -> str:
    """``always 'the': 0.067`` beside the share of pieces that are found; empty beside other figures."""
    guess = judged.get("guess") or {}
    if guess.get("metric") != key:
        return ""
    return f"always '{guess['piece']}': {decimals(guess['value'])}"


def _summary(metrics: Mapping[str, Any]) -> str:
    ended = metrics.get("ended")
    return _figures(metrics) + (f" The run was {ended['text']}." if ended else "")


def _figures(metrics: Mapping[str, Any]) -> str:
    dev, teacher = metrics["dev"], metrics.get("teacher")
    main = main_of(dev)
    name = NAMES.get(main, main)
    if dev.get("lower_is_better"):
        name += " (lower is better)"
    if teacher is None or dev["value"] is None:
        return f"{name} {_figure(dev['value'])} on {dev['rows']:,} dev {unit(dev)}."
    text = f"{name} {_figure(dev['value'])} on {dev['rows']:,} dev {unit(dev)}"
    if metrics.get("ratio"):
        text += f", {100 * metrics['ratio']:.1f} % of the teacher's {_figure(teacher['value'])}"
    share = metrics["model"]["parameters"] / teacher["parameters"]
    digits = 0 if share >= 0.01 else 2
    return f"{text}, with {100 * share:.{digits}f} % of its parameters."


def _notes(metrics: Mapping[str, Any]) -> list[str]:
    dev, training = metrics["dev"], metrics["training"]
    main = dev["main"]
    notes = [
        f"Weights kept: {metrics['kept']['text']}.",
        _trained_on(training, metrics["seed"]),
    ]
    if head := metrics["model"].get("head"):
        notes.append(f"{head[0].upper()}{head[1:]}.")
    if dev.get("positive") is not None:
        named = {"F1": "f1" in dev["metrics"], "the ranking figures": "mrr" in dev["metrics"]}
        named["the threshold"] = "threshold" in metrics
        what = [name for name, there in named.items() if there]
        if what:
            notes.append(f"The class that counts in {' and '.join(what)}: {dev['positive']}.")
    if dev.get("interval"):
        name = NAMES.get(main, main)
        notes.append(f"In brackets: 95 % bootstrap interval of {name} over the dev set.")
    chance = dev["metrics"].get(f"random_{main}")
    if chance is not None:
        notes.append(f"A random ranker gets {NAMES.get(main, main)} {chance:.3f}.")
    notes += _calibration(metrics)
    if "agreement" in metrics:
        notes += _agreement(metrics["agreement"])
    if "teacher" in metrics:
        size = byte_size(1e6 * metrics["model"]["megabytes"])
        notes.append(f"The student's weights take {size} on disk.")
    return notes


def _trained_on(training: Mapping[str, Any], seed: int) -> str:
    phases = training["phases"]
    epochs = max((phase.get("epochs", 1.0) for phase in phases), default=1.0)
    seen = f", of which the steps saw {100 * epochs:.3g} %" if epochs < 1 else ""
    if "documents" in training:  # blocks of a corpus: nothing is cut
        text = f"{training['tokens']:,} tokens of {counted(training['documents'], 'document')}"
        return f"Trained on {counted(training['rows'], 'block')} with seed {seed}: {text}{seen}."
    cut = f"{100 * training['share_of_rows_cut']:.1f} % of them were cut to the length limit"
    made = training.get("augmented")
    copies = f", {made['copies']:,} copies of {made['method']} among them" if made else ""
    return (
        f"Trained on {training['rows']:,} {unit(training)}{copies}, with seed {seed}{seen}; {cut}."
    )


def unit(judged: Mapping[str, Any]) -> str:
    """What rows are: ``rows``, ``texts`` by themselves, or ``blocks`` of a corpus."""
    return str(judged.get("unit", "rows"))


def _calibration(metrics: Mapping[str, Any]) -> list[str]:
    notes, found, threshold = [], metrics.get("calibration"), metrics.get("threshold")
    if found:
        notes.append(
            f"Calibration error {_figure(found['ece'])}, {_figure(found['ece_scaled'])} with the logits "
            f"divided by {found['temperature']:.3g} ({fitted(found['temperature'], 'dev rows')})."
        )
    if threshold and threshold["probability"] is not None:
        named = threshold.get("label")
        notes.append(
            f"From a probability of {threshold['probability']:.3g} the student is as precise as the teacher "
            f"({_figure(threshold['teacher_precision'])}) and finds {_figure(threshold['recall'])} of "
            f"{'the positive rows' if named is None else f'the rows with the label {named!r}'}, the "
            f"teacher {_figure(threshold['teacher_recall'])}."
        )
    return notes


def _agreement(found: Mapping[str, Any]) -> list[str]:
    """Of a language model nothing is known: it has no scores of rows."""
    parts = []
    if found.get("agreement") is not None:
        parts.append(f"same decision on {100 * found['agreement']:.1f} % of the rows")
    if found.get("spearman") is not None:
        parts.append(f"rank correlation of the scores {_figure(found['spearman'])}")
    return [f"Student and teacher on the same rows: {', '.join(parts)}."] if parts else []


def _figure(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else decimals(value)

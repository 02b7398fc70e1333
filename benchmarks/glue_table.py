"""From finished cells to the table: means over seeds, paired intervals, ratios to the teacher."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import glue_cells
import machine
from glue_cells import FOLDERS, Cell

RESAMPLES = 1000
AIMS = {"sst2": 0.97, "stsb": 0.97}
AIM_OF_AVERAGE = 0.93
OTHERS = ("baseline", "truncated")  # what Theseus is compared with
HEADER = [
    "| task | rows train / dev | metric | seeds | teacher | baseline | truncated | Theseus "
    "| over baseline | over truncated | % of teacher: baseline | truncated | Theseus |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
]
# Not in the average: a 3-layer student of these weights may learn nothing on CoLA, and the Chinese
# titles are no task of GLUE.
APART = {"cola": "CoLA", glue_cells.CHINESE: "THUCNews titles (Chinese, teacher from scratch)"}


def collect(cells: list[Cell]) -> dict[str, Any]:
    """Figures of every finished cell, and the names of the others."""
    rows, missing = [], []
    for cell in cells:
        if not glue_cells.is_finished(cell):
            missing.append(cell.name)
            continue
        places = ("data_dir", "output_dir", "plugins")
        settings = {k: v for k, v in cell.config.items() if k not in places}
        rows.append(
            {
                "task": cell.task,
                "arm": cell.arm,
                "seed": cell.seed,
                **glue_cells.read_metrics(cell),
                **glue_cells.attempts(cell),
                "settings": {**settings, "teacher_architectures": _named(cell)},
            }
        )
    return {"cells": rows, "missing": missing}


def _named(cell: Cell) -> dict[str, Any]:
    """The network that training starts from, without this machine's folders."""
    block = dict(cell.config["teacher_architectures"])
    path = Path(block["model_name_or_path"])
    block["model_name_or_path"] = cell.teacher.name if cell.teacher else path.parent.name
    return block


def differences(pairs: list[tuple[Cell, Cell]], seed: int = 0) -> tuple[float, np.ndarray]:
    """Theseus minus another student: the mean over seeds, and its value on resamples of rows and seeds.

    A resample draws dev rows once for all runs, and seeds among the pairs, both with replacement.

    Args:
        pairs: (theseus, the other) of each seed, of one task.
        seed: Of the resampling.
    """
    task = glue_cells.task_of(pairs[0][0].task)
    metric = task.metric(glue_cells.read_metrics(pairs[0][0])["main"])
    read = [tuple(glue_cells.read_scores(cell) for cell in pair) for pair in pairs]
    labels = read[0][0][1]
    for pair in read:
        for _, own in pair:
            assert np.array_equal(own, labels), "runs of one task were scored on other dev rows"
    scores = [(theseus[0], other[0]) for theseus, other in read]
    return _resampled(metric, scores, labels, np.random.default_rng(seed))


def _resampled(
    metric: Callable[..., float],
    scores: list[tuple[np.ndarray, np.ndarray]],
    labels: np.ndarray,
    generator: np.random.Generator,
) -> tuple[float, np.ndarray]:
    def difference(pair: tuple[np.ndarray, np.ndarray], rows: np.ndarray) -> float:
        a, b = pair
        return metric(a[rows], labels[rows], None) - metric(b[rows], labels[rows], None)

    everything = np.arange(len(labels))
    mean = float(np.mean([difference(pair, everything) for pair in scores]))
    drawn = np.empty(RESAMPLES)
    for number in range(RESAMPLES):
        rows = generator.integers(len(labels), size=len(labels))
        chosen = generator.integers(len(scores), size=len(scores))
        on_rows = {i: difference(scores[i], rows) for i in set(chosen.tolist())}
        drawn[number] = np.mean([on_rows[i] for i in chosen.tolist()])
    return mean, drawn


def interval(drawn: np.ndarray) -> tuple[float, float]:
    """95 %, percentiles."""
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def summarise(cells: list[Cell]) -> dict[str, Any]:
    """The table's rows, the average without CoLA, and what is missing."""
    found = collect(cells)
    tasks = list(dict.fromkeys(cell.task for cell in cells))
    rows: dict[str, dict[str, Any]] = {}
    drawn: dict[tuple[str, str], np.ndarray] = {}
    for task in tasks:
        rows[task] = _task_row([row for row in found["cells"] if row["task"] == task])
        rows[task]["difference"] = {}
        for other in OTHERS:
            pairs = _pairs([cell for cell in cells if cell.task == task], other)
            if pairs:
                mean, drawn[task, other] = differences(pairs)
                own = {"mean": mean, "interval": interval(drawn[task, other])}
                rows[task]["difference"][other] = own
    return {**found, "tasks": rows, "average": _average(rows, drawn)}


def _pairs(cells: list[Cell], other: str) -> list[tuple[Cell, Cell]]:
    """(theseus, other) of each seed where both are finished."""
    done = {(c.arm, c.seed): c for c in cells if glue_cells.is_finished(c)}
    seeds = sorted({cell.seed for cell in cells})
    names = [(("theseus", seed), (other, seed)) for seed in seeds]
    return [(done[a], done[b]) for a, b in names if a in done and b in done]


def _task_row(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread over seeds of each arm, and the ratio to the teacher."""
    row: dict[str, Any] = {"arms": {}}
    for arm in glue_cells.ARMS:
        own = [cell for cell in rows if cell["arm"] == arm]
        if own:
            values = [cell["value"] for cell in own]
            row["arms"][arm] = {
                "mean": statistics.mean(values),
                "spread": statistics.stdev(values) if len(values) > 1 else None,
                "seeds": len(values),
            }
            row |= {name: own[0][name] for name in ("main", "rows", "train_rows")}
    teacher = row["arms"].get("teacher", {}).get("mean")
    for arm in glue_cells.STUDENTS:
        if teacher and arm in row["arms"]:
            row["arms"][arm]["ratio"] = row["arms"][arm]["mean"] / teacher
    return row


def _average(
    rows: dict[str, dict[str, Any]], drawn: dict[tuple[str, str], np.ndarray]
) -> dict[str, Any] | None:
    """Over the tasks that have all arms, CoLA left out; None without any."""
    arms = len(glue_cells.ARMS)
    complete = [t for t, row in rows.items() if t not in APART and len(row["arms"]) == arms]
    if not complete:
        return None
    means = {
        arm: statistics.mean(rows[task]["arms"][arm]["mean"] for task in complete)
        for arm in glue_cells.ARMS
    }
    result: dict[str, Any] = {
        "tasks": complete,
        "means": means,
        "complete": set(complete) >= set(FOLDERS) - set(APART),
    }
    result["ratios"] = {arm: means[arm] / means["teacher"] for arm in glue_cells.STUDENTS}
    result["difference"] = {}
    for other in OTHERS:
        if all((task, other) in drawn for task in complete):
            # Tasks are independent: the mean of their resamples is a resample of the mean.
            together = np.mean([drawn[task, other] for task in complete], axis=0)
            found = {"mean": means["theseus"] - means[other], "interval": interval(together)}
            result["difference"][other] = found
    return result


def as_markdown(results: dict[str, Any]) -> str:
    """The report, PARTIAL where cells are missing."""
    missing = results["missing"]
    left_out = [task for task in FOLDERS if task not in results["tasks"]]
    lines = ["# BERT-of-Theseus on GLUE: 6 layers to 3", ""]
    if missing or left_out:
        what = [*missing, *(f"{task} (not asked for)" for task in left_out)]
        lines += [f"**PARTIAL: missing are {', '.join(what)}.**", ""]
    lines += [
        "Dev sets. Teacher: the 6-layer MiniLM, fine-tuned until its dev score stopped rising. "
        "Baseline: the first 3 layers of the pretrained MiniLM, fine-tuned. Truncated: the first 3 "
        "layers and the head of the fine-tuned teacher, where Theseus starts, fine-tuned. All "
        "students have the same number of epochs. "
        "Every network is the best of its run on the same dev set. Differences: Theseus minus the "
        "other, 95 % interval of a paired bootstrap over dev rows and seeds. On THUCNews the network "
        "that is cut and fine-tuned was not pretrained: a 6-layer BERT of width 384 with random weights.",
        "",
        *HEADER,
    ]
    lines += [_line(task, row) for task, row in results["tasks"].items() if task not in APART]
    lines += [_average_line(results["average"]), "", *_aims(results)]
    for task in (task for task in APART if task in results["tasks"]):
        lines += ["", f"{APART[task]} by itself (not in the average):", "", *HEADER]
        lines += [_line(task, results["tasks"][task])]
    lines += ["", "## Cells", "", *_cells(results["cells"]), "", *_settings(results["cells"]), ""]
    lines += [f"{machine.as_line(results['machine'])}.", ""]
    return "\n".join(lines)


def _percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}"


def _arm(row: dict[str, Any], arm: str) -> str:
    found = row["arms"].get(arm)
    if found is None:
        return "–"
    spread = "" if found["spread"] is None else f" ± {_percent(found['spread'])}"
    return _percent(found["mean"]) + spread


def _difference(found: dict[str, Any] | None) -> str:
    if found is None:
        return "–"
    low, high = found["interval"]
    return f"{100 * found['mean']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def _line(task: str, row: dict[str, Any]) -> str:
    arms = row["arms"]
    seeds = max((arm["seeds"] for arm in arms.values()), default=0)
    ratios = [_percent(arms.get(arm, {}).get("ratio")) for arm in glue_cells.STUDENTS]
    rows = f"{row.get('train_rows', '–')} / {row.get('rows', '–')}"
    values = [_arm(row, arm) for arm in glue_cells.ARMS]
    over = [_difference(row["difference"].get(other)) for other in OTHERS]
    parts = [FOLDERS[task], rows, row.get("main", "–"), str(seeds), *values, *over, *ratios]
    return f"| {' | '.join(parts)} |"


def _average_line(average: dict[str, Any] | None) -> str:
    if average is None:
        return "| average without CoLA | | | | – | – | – | – | – | – | – | – | – |"
    means, ratios = average["means"], average["ratios"]
    name = "average without CoLA" if average["complete"] else f"average of {len(average['tasks'])}"
    values = [_percent(means[arm]) for arm in glue_cells.ARMS]
    values += [_difference(average["difference"].get(other)) for other in OTHERS]
    values += [_percent(ratios[arm]) for arm in glue_cells.STUDENTS]
    return f"| {' | '.join([name, '', '', '', *values])} |"


def _aims(results: dict[str, Any]) -> list[str]:
    """Each aim with what was reached."""
    lines = []
    for task, aim in AIMS.items():
        found = results["tasks"].get(task, {"arms": {}})["arms"].get("theseus", {}).get("ratio")
        lines.append(f"- {FOLDERS[task]}: {_percent(found)} % of the teacher (aim {aim:.0%})")
    average = results["average"]
    whole = average is not None and average["complete"]
    found = average["ratios"]["theseus"] if average is not None and whole else None
    lines.append(f"- average without CoLA: {_percent(found)} % (aim {AIM_OF_AVERAGE:.0%})")
    return lines


def _cells(cells: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| task | arm | seed | metrics | kept | seconds | commit |",
        "|---|---|---|---|---|---|---|",
    ]
    for cell in cells:
        metrics = ", ".join(f"{name} {_percent(value)}" for name, value in cell["metrics"].items())
        lines.append(
            f"| {FOLDERS[cell['task']]} | {cell['arm']} | {cell['seed']} | {metrics} "
            f"| {cell['kept']} | {cell['seconds']:.0f} | {', '.join(cell['commits'])} |"
        )
    return lines


def _settings(cells: list[dict[str, Any]]) -> list[str]:
    """Settings of each task and arm (seeds apart)."""
    lines = ["## Settings", ""]
    seen = set()
    for cell in cells:
        if (cell["task"], cell["arm"]) not in seen:
            seen.add((cell["task"], cell["arm"]))
            skipped = ("task_name", "seed")
            text = ", ".join(f"{k} {v}" for k, v in cell["settings"].items() if k not in skipped)
            lines.append(f"- {FOLDERS[cell['task']]}, {cell['arm']}: {text}")
    return lines

"""From finished cells to the table: means over seeds, paired differences, ratios to the teacher."""

import statistics
from collections import defaultdict
from typing import Any

import glue_cells
import glue_table
import machine
import task_cells
from glue_cells import FOLDERS, Cell

TITLES = {
    "alone": "fine-tuned alone",
    "kd": "KD",
    "kd-more": "KD, with further rows",
    "pkd": "PKD",
    "tinybert": "TinyBERT 1 + 2",
    "takd": "TAKD",
}
HEADER = [
    "| task | student | method | seeds | dev | % of teacher | over fine-tuning alone |",
    "|---|---|---|---|---|---|---|",
]


def is_done(cell: Cell) -> bool:
    """Whether a cell is finished; step 1 of TinyBERT has no figures, only a student."""
    if cell.arm == "tinybert-step1":
        return (cell.folder / "student" / "model.safetensors").is_file()
    return glue_cells.is_finished(cell)


def arm_of(cell: Cell) -> tuple[str, str]:
    """(student, method); the first layers fine-tuned alone are a cell of `theseus_glue.py`."""
    if isinstance(cell, task_cells.TaskCell):
        return cell.student, cell.arm
    return ("teacher", "teacher") if cell.arm == "teacher" else ("half", "alone")


def summarise(cells: list[Cell]) -> dict[str, Any]:
    """Rows of the table by task and student, every cell's figures, and what is missing."""
    found: dict[tuple[str, str, str], dict[int, Cell]] = defaultdict(dict)
    missing, listed = [], []
    for cell in cells:
        if not is_done(cell):
            missing.append(cell.name)
        elif cell.arm != "tinybert-step1":
            found[cell.task, *arm_of(cell)][cell.seed] = cell
            student, arm = arm_of(cell)
            figures = {**glue_cells.read_metrics(cell), **glue_cells.attempts(cell)}
            listed.append(
                {"task": cell.task, "student": student, "arm": arm, "seed": cell.seed, **figures}
            )
    rows = [_row(key, own, found) for key, own in found.items() if key[1] != "teacher"]
    teachers = {
        key[0]: glue_cells.read_metrics(next(iter(own.values())))
        for key, own in found.items()
        if key[1] == "teacher"
    }
    return {"rows": rows, "teachers": teachers, "cells": listed, "missing": missing}


def _row(
    key: tuple[str, str, str],
    own: dict[int, Cell],
    found: dict[tuple[str, str, str], dict[int, Cell]],
) -> dict[str, Any]:
    task, student, arm = key
    values = [glue_cells.read_metrics(cell)["value"] for cell in own.values()]
    row: dict[str, Any] = {"task": task, "student": student, "arm": arm, "seeds": sorted(own)}
    row["mean"] = statistics.mean(values)
    row["spread"] = statistics.stdev(values) if len(values) > 1 else None
    teacher = found.get((task, "teacher", "teacher"))
    if teacher:
        row["ratio"] = row["mean"] / glue_cells.read_metrics(next(iter(teacher.values())))["value"]
    alone = found.get((task, student, "alone"), {})
    pairs = [(own[seed], alone[seed]) for seed in sorted(own) if seed in alone]
    if arm != "alone" and pairs:
        mean, drawn = glue_table.differences(pairs)
        row["over_alone"] = {
            "mean": mean,
            "interval": glue_table.interval(drawn),
            "seeds": [pair[0].seed for pair in pairs],
        }
    return row


def as_markdown(results: dict[str, Any]) -> str:
    """The report, PARTIAL where cells are missing."""
    missing = results["missing"]
    lines = ["# Distillation on the task: 6 layers to 3, and to 4 narrower ones", ""]
    if missing:
        shown = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if missing[8:] else "")
        lines += [f"**PARTIAL: {len(missing)} cells are missing: {shown}.**", ""]
    lines += [
        "Dev sets. Half: the first 3 layers of the network that the teacher was before its task; small: "
        "4 layers, narrower, from random weights. All methods of a student have the same number of "
        "optimizer steps (TinyBERT's two steps together, so its second is looked at half as often on dev; "
        "TAKD's assistant, the half-size student of KD, comes on top). *With further rows*: the training "
        "rows and behind them the rest of the training file without its labels, in as many steps. "
        "Temperatures, weights and layer maps are those of the shipped files, nothing was tuned for a task. "
        "Every network is the best of "
        "its run on the same dev set. Differences: mean over seeds, 95 % interval of a paired bootstrap "
        "over dev rows and the seeds that both have; with one seed it is that of the rows alone, and "
        "another seed may lie outside.",
        "",
        *HEADER,
    ]
    for task in dict.fromkeys(row["task"] for row in results["rows"]):
        teacher = results["teachers"].get(task)
        if teacher:
            value = f"{teacher['main']} {100 * teacher['value']:.1f}"
            lines.append(f"| {FOLDERS[task]} | teacher | | 1 | {value} | | |")
        lines += [_line(row) for row in results["rows"] if row["task"] == task]
    lines += [
        "",
        "Cells: `task_distillation.json`, with settings' digests, seconds and commits.",
        "",
    ]
    return "\n".join([*lines, f"{machine.as_line(results['machine'])}.", ""])


def _line(row: dict[str, Any]) -> str:
    spread = "" if row["spread"] is None else f" ± {100 * row['spread']:.1f}"
    ratio = f"{100 * row['ratio']:.1f}" if "ratio" in row else "–"
    over = row.get("over_alone")
    words = "–"
    if over:
        low, high = over["interval"]
        mean = round(100 * over["mean"], 1) + 0.0  # no -0.0
        words = f"{mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
    value = f"{100 * row['mean']:.1f}{spread}"
    parts = ["", row["student"], TITLES[row["arm"]], str(len(row["seeds"])), value, ratio, words]
    return f"| {' | '.join(parts)} |"

"""What a chain of runs came to: a table, ``metrics.json`` and ``report.html`` beside the links' folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.rules import TEACHERS
from ..config.task import task_of
from ..disk.json_file import JsonFault, fault_of
from ..disk.run_files import COMPARED
from ..disk.write import write_json, write_text
from ..errors import Problem, UserError
from ..report.chain import chain_report
from ..report.run import read_json, write_report
from ..report.table import render_markdown_table, terminal_table
from ..tasks.intervals import paired_bootstrap
from ..tasks.predictions import read_predictions
from ..tasks.selection import lower_is_better
from .log_file import say

if TYPE_CHECKING:
    from rich.console import Console

    from ..config import Chain, Link

FORMAT = 1


def report_chain(chain: Chain, console: Console) -> dict[str, Any] | None:
    """Writes and prints the summary; None where no link was evaluated."""
    metrics = chain_metrics(chain)
    if not metrics["links"]:
        return None
    folders = [Path(link["folder"]) for link in metrics["links"]]
    report = chain_report(metrics, folders)
    lines = render_markdown_table(report).rstrip().splitlines()
    text = [*lines, "", *report.notes]
    write_json(chain.folder / "metrics.json", metrics)
    write_text(chain.folder / "eval_results.txt", "\n".join(text) + "\n")
    page = write_report(report, chain.folder / "report.html")
    console.print()
    if console.is_terminal:
        console.print(terminal_table(report))
        text = list(report.notes)
    say(console, *text, f"report: {page}")
    return metrics


def chain_metrics(chain: Chain) -> dict[str, Any]:
    """The links' figures, in order, and the last one's against those of the runs it is compared with."""
    links = []
    for link in chain.links:
        path = link.folder / "metrics.json"
        if not path.is_file():  # do_eval was false
            continue
        try:
            links.append(_figures(link, read_json(path)))
            continue
        except (OSError, JsonFault) as error:
            fault = fault_of(error)
        except (KeyError, TypeError, AttributeError):
            fault = "does not hold what a run writes"
        message = f"{path} {fault}, and the chain's table needs it"
        hint = f"Put a copy of it back, or remove {link.folder}: started again, that link is trained anew."
        raise UserError(Problem(link.name, message, hint, code="chain.figures-damaged"))
    metrics: dict[str, Any] = {"format": FORMAT, "pipeline": chain.name, "links": links}
    metrics["task"] = _last(chain).loaded.config.task_name
    compared = {
        name: found for name in COMPARED if (found := compare_with(chain, name)) is not None
    }
    return {**metrics, **compared}


def _last(chain: Chain) -> Link:
    """The last link that the file lists."""
    return [link for link in chain.links if link.name not in COMPARED][-1]


def _figures(link: Link, found: dict[str, Any]) -> dict[str, Any]:
    """A link's part of the summary, from its ``metrics.json``."""
    teacher, dev = getattr(link.loaded.config, TEACHERS[link.loaded.level]), found["dev"]
    return {
        "name": link.name,
        "folder": str(link.folder),
        "network": str(link.kept),
        "task": found["task"],
        "method": found["method"],
        "verb": link.verb,
        "after": list(link.after),
        "teacher": teacher.model_name_or_path if teacher is not None else None,
        "main": dev["main"],
        "value": dev["value"],
        "lower_is_better": dev.get("lower_is_better", False),
        "interval": dev.get("interval"),
        "teacher_value": found.get("teacher", {}).get("value"),
        "ratio": found.get("ratio"),
        "layers": found["model"]["layers"],
        "kind": found["model"].get("kind", ""),
        "parameters": found["model"]["parameters"],
        "steps": sum(phase["steps"] for phase in found["training"]["phases"]),
        "seconds": found["training"]["seconds"],
        **({"ended": found["ended"]["text"]} if "ended" in found else {}),
        **({"head": found["model"]["head"]} if "head" in found["model"] else {}),
    }


def compare_with(chain: Chain, name: str) -> dict[str, Any] | None:
    """The main metric of the chain's student less that of the run it is compared with.

    Args:
        chain: The chain.
        name: ``direct``: the same student taught by the first teacher; ``alone``: fine-tuned.

    Returns:
        ``student``, ``difference`` and its paired 95 % bootstrap ``interval`` over the dev set's rows
        or groups; None without such a run that was evaluated.
    """
    by_name = {link.name: link for link in chain.links}
    if name not in by_name:
        return None
    student = _last(chain)
    files = [link.folder / "predictions.tsv" for link in (student, by_name[name])]
    if not all(file.is_file() for file in files):
        return None
    config = student.loaded.config
    task = task_of(config)
    ours, other = (
        read_predictions(
            file,
            task.label_words,
            multi_label=task.labels.kind == "multi_label",
            swapped=bool(task.labels.columns),
        )
        for file in files
    )
    main = read_json(student.folder / "metrics.json")["dev"]["main"]
    difference, low, high = paired_bootstrap(
        task.metric(main), ours.scores, other.scores, ours.labels, ours.groups
    )
    return {
        "student": student.name,
        "main": main,
        "lower_is_better": lower_is_better(main),
        "difference": difference,
        "interval": [low, high],
    }

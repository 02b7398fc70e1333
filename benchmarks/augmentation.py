"""Does data augmentation help? TinyBERT step 1 + 2 and the BiLSTM on 0, 1 and 4 copies of the training rows.

SST-2 with 5,000 and 20,000 rows, MRPC, and THUCNews titles by a masked language model; the BiLSTM on SST-2 by
its rules. All arms of a set have the same number of optimizer steps, so that what copies bring is not
what more steps bring. Paired intervals against no copies, over dev rows and seeds. The masked language
model is that of the pre-training benchmark (--masked-lm, --chinese-masked-lm: the folder of its
network). Each cell is an ordinary chatstill run or `chatstill augment`; start it again at any time: finished
cells are kept, an interrupted one goes on. The table is written after every cell, labelled PARTIAL
until all are there.

    python benchmarks/augmentation.py --masked-lm work/masked_lm/student --tagger english_tags:tag
"""

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import Any

import augmentation_cells as cells_of
import glue_cells
import glue_table
import kept_cells
import machine
from augmentation_cells import FIGURES, SETS, AugmentedCell, is_done
from glue_cells import Cell
from theseus_glue import key_value

RESULTS = Path(__file__).parent / "results"
SHOWN = 10


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--copies", type=int, nargs="+", default=list(cells_of.COPIES))
    parser.add_argument("--masked-lm", help="folder of an English masked language model")
    parser.add_argument("--chinese-masked-lm", help="folder of a Chinese one")
    parser.add_argument("--word-vectors", default="model", help="GloVe's file, or: model")
    parser.add_argument(
        "--tagger", help="parts of speech for the BiLSTM, such as english_tags:tag, which lies here"
    )
    parser.add_argument("--rows", type=int, help="in place of each set's own number")
    parser.add_argument("--steps", type=int, help="in place of each set's own number")
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/glue"), help="GLUE folder"
    )
    parser.add_argument("--thucnews", type=Path, default=Path("../shared/data/thucnews_titles"))
    parser.add_argument("--threads", type=int, help="threads of a run; default: torch's own")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--report-only", action="store_true", help="write the table, run nothing")
    parser.add_argument("--set", action="append", default=[], type=key_value, metavar="KEY=VALUE")
    parser.set_defaults(set_students=[], cells="augmentation", untested=("augmentation",))
    options = parser.parse_args(arguments)
    options.work = options.work.resolve()
    for key in ("masked_lm", "chinese_masked_lm"):
        if getattr(options, key) is not None:
            setattr(options, key, str(Path(getattr(options, key)).resolve()))
    options.sets = [name for name in options.sets if not _lacks_model(options, name)]
    kept_cells.restore(options)
    return options


def _lacks_model(options: argparse.Namespace, name: str) -> bool:
    """Whether a set needs a masked language model that is not named; it is left out and told."""
    if SETS[name].method == "bilstm":
        return False
    chinese = SETS[name].task == glue_cells.CHINESE
    key = "chinese_masked_lm" if chinese else "masked_lm"
    if getattr(options, key) is None:
        print(f"{name} is left out: name a masked language model, --{key.replace('_', '-')}")
    return getattr(options, key) is None


def summarise(cells: list[Cell]) -> dict[str, Any]:
    """Rows of the table, what was copied, and what is missing."""
    there = cells_of.figures_are_there
    done = [cell for cell in cells if isinstance(cell, AugmentedCell) and there(cell)]
    rows = []
    for name in dict.fromkeys(cell.set for cell in done):
        own = [cell for cell in done if cell.set == name and cell.arm in FIGURES]
        for number in sorted({cell.copies for cell in own}):
            rows.append(_row(name, number, own))
    copied = [
        json.loads(cells_of.facts_of(cell).read_text(encoding="utf-8"))
        for cell in done
        if cell.arm == "copies"
    ]
    figures = [
        {"name": c.name, **glue_cells.read_metrics(c), **glue_cells.attempts(c)}
        for c in done
        if c.arm in FIGURES
    ]
    missing = [cell.name for cell in cells if not there(cell)]
    return {"rows": rows, "copied": copied, "cells": figures, "missing": missing}


def _row(name: str, number: int, cells: list[AugmentedCell]) -> dict[str, Any]:
    own = {cell.seed: cell for cell in cells if cell.copies == number}
    plain = {cell.seed: cell for cell in cells if cell.copies == 0}
    read = [glue_cells.read_metrics(cell) for cell in own.values()]
    row: dict[str, Any] = {"set": name, "copies": number, "seeds": sorted(own)}
    row |= {"main": read[0]["main"], "mean": statistics.mean(one["value"] for one in read)}
    row["train_rows"] = read[0]["train_rows"]
    pairs = [(own[seed], plain[seed]) for seed in sorted(own) if seed in plain]
    if number and pairs:
        pairs_of: list[tuple[Cell, Cell]] = [(a, b) for a, b in pairs]
        mean, drawn = glue_table.differences(pairs_of)
        row["over_none"] = {"mean": mean, "interval": glue_table.interval(drawn)}
    return row


def _copied(cell: AugmentedCell) -> dict[str, Any]:
    """What the record says, the speed by the wall clock, and ten rows with their first copy."""
    (path,) = Path(cell.config["data_dir"]).rglob("*_aug.json")
    record = json.loads(path.read_text(encoding="utf-8"))
    lines = path.with_name(record["output"]["name"]).read_text(encoding="utf-8").split("\n")
    header = len(lines) - 1 - record["rows"]["originals"] - record["rows"]["copies"]
    at, shown = header + record["rows"]["originals"], []
    for number, copies in enumerate(record["copies_of"]):
        if copies and len(shown) < SHOWN:
            shown.append([lines[header + number], lines[at]])
        at += copies
    found = record.get("found", {})
    seconds = glue_cells.attempts(cell)["seconds"]
    sentences = found.get("sentences", record["rows"]["originals"])
    return {
        "set": cell.set,
        "copies": cell.copies,
        "rows": record["rows"],
        "left_out": record["left_out"],
        "share": found["with_candidates"] / max(found["words"], 1) if found else None,
        "sentences_a_second": sentences / seconds if seconds and not cell.after else None,
        "bf16": bool(SETS[cell.set].bf16),
        "shown": shown,
    }


def as_markdown(results: dict[str, Any]) -> str:
    """The report, PARTIAL where cells are missing."""
    missing = results["missing"]
    lines = ["# Data augmentation: 0, 1 and 4 copies in equal steps", ""]
    if missing:
        lines += [f"**PARTIAL: {len(missing)} cells are missing, such as {missing[0]}.**", ""]
    lines += [
        "Dev sets, bf16. Differences: mean over seeds, 95 % interval of a paired bootstrap over dev rows and "
        "seeds, against the same student without copies in as many optimizer steps. *Does not help* stands "
        "where the interval holds 0 or lies below. Words of the same part of speech "
        f"(BiLSTM): {results['tagger'] or 'none, for want of a tagger'}.",
        "",
        "| set | copies | rows | seeds | dev | over no copies | |",
        "|---|---|---|---|---|---|---|",
        *map(_line, results["rows"]),
        "",
        "A dash stands for candidates that were read again, and for rules that need none.",
        "",
        "| set | copies | rows written | words with candidates | sentences a second, start included |",
        "|---|---|---|---|---|",
        *map(_copied_line, results["copied"]),
    ]
    for one in results["copied"]:
        number = f"{one['copies']} {'copy' if one['copies'] == 1 else 'copies'}"
        lines += ["", f"## {one['set']}, {number}: ten rows and their first copy", ""]
        lines += ["```text", *(line for pair in one["shown"] for line in pair), "```"]
    return "\n".join([*lines, "", f"{machine.as_line(results['machine'])}.", ""])


def _line(row: dict[str, Any]) -> str:
    over, words, verdict = row.get("over_none"), "–", ""
    if over:
        low, high = (100 * value for value in over["interval"])
        words = f"{100 * over['mean']:+.1f} [{low:+.1f}, {high:+.1f}]"
        verdict = "helps" if low > 0 else "does not help"
    value = f"{row['main']} {100 * row['mean']:.1f}"
    seeds = str(len(row["seeds"]))
    parts = [row["set"], str(row["copies"]), f"{row['train_rows']:,}", seeds, value, words, verdict]
    return f"| {' | '.join(parts)} |"


def _copied_line(one: dict[str, Any]) -> str:
    share = "–" if one["share"] is None else f"{100 * one['share']:.1f} %"
    speed = "–" if one["sentences_a_second"] is None else f"{one['sentences_a_second']:.1f}"
    speed += " (bf16)" if one.get("bf16") and one["sentences_a_second"] else ""
    rows = f"{sum(one['rows'].values()):,}"
    return f"| {one['set']} | {one['copies']} | {rows} | {share} | {speed} |"


def keep(cells: list[Cell], options: argparse.Namespace) -> None:
    """What the table reads of finished cells, beside the tables."""
    for cell in cells:
        if cell.arm == "copies" and is_done(cell) and not cells_of.figures_are_there(cell):
            facts = json.dumps(_copied(cell), ensure_ascii=False)  # type: ignore[arg-type]
            cells_of.facts_of(cell).write_text(facts + "\n", encoding="utf-8")
    kept_cells.keep(options)


def write(cells: list[Cell], out: Path, tagger: str | None) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**summarise(cells), "tagger": tagger, "machine": machine.describe()}
    text = as_markdown(results)
    out.mkdir(parents=True, exist_ok=True)
    (out / "augmentation.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (out / "augmentation.md").write_text(text, encoding="utf-8")
    return text


def main(arguments: list[str] | None = None) -> int:
    """Runs what is missing; the exit code."""
    options = parse(arguments)
    here = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(
        filter(None, here)
    )  # runs find a tagger that lies here
    cells = cells_of.plan(options)
    code, failed = 0, list[str]()
    if not options.report_only:

        def after() -> None:
            keep(cells, options)
            write(cells, options.out, options.tagger)

        code, failed = glue_cells.run_cells(
            cells_of.to_run(cells),
            options.threads,
            is_done=is_done,
            before=lambda cell: cells_of.prepare(options, cell),
            after=after,
        )
    print(write(cells, options.out, options.tagger))
    for line in failed:
        print(f"failed: {line}")
    return code or bool(failed)


if __name__ == "__main__":
    raise SystemExit(main())

"""A masked-LM head for a 6-layer MiniLM on WikiText: body frozen and trained, scores in chunks and at once.

Each cell is an ordinary chatstill run, capped by steps so that it takes minutes on one core: the figures show
what a step costs and that it learns, not what the network can become. The plain loss (`plain_vocabulary.py`)
computes the scores of all positions as transformers does. Start it again at any time: finished cells are
kept, and the table is written after every cell, labelled PARTIAL until all are there.

    python benchmarks/masked_lm.py --data ../shared/data/text_en
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import machine
import masked_lm_cells
from masked_lm_cells import BATCH, BODIES, LENGTH, LOSSES

RESULTS = Path(__file__).parent / "results"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/text_en"))
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work" / "masked_lm")
    parser.add_argument("--threads", type=int, help="threads of a run; default: torch's own")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--steps", type=int, default=48, help="steps of the cells in chunks")
    parser.add_argument("--plain-steps", type=int, default=12, help="of those without")
    parser.add_argument("--dev-lines", type=int, default=200, help="lines that are scored")
    parser.add_argument("--report-only", action="store_true", help="write the table, run nothing")
    options = parser.parse_args(arguments)
    options.work, options.data = options.work.resolve(), options.data.resolve()
    return options


def as_markdown(
    found: Sequence[dict[str, Any]],
    planned: int,
    options: argparse.Namespace,
    facts: dict[str, str],
) -> str:
    """The report."""
    partial = "" if len(found) == planned else f"PARTIAL: {len(found)} of {planned} cells. "
    lines = [
        "# A masked-LM head for MiniLM",
        "",
        f"{partial}6 layers, 384 wide, 30,522 pieces; the weights have no head, so it starts at random. "
        f"WikiText-2's valid file trains, the first {options.dev_lines} lines of its test file are scored. "
        f"Blocks of up to {LENGTH} tokens, {BATCH} a step, 15 % of the tokens masked. **Capped by steps**: "
        "accuracies are of a training that has hardly begun.",
        "",
        "Memory: highest resident size of the process while it trained, python and libraries included. "
        "Tokens a second: of training steps, padding not counted.",
        "",
        "| body | vocabulary loss | steps | masked accuracy | loss on dev | tokens a second | peak MB |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for one in found:
        lines.append(
            f"| {BODIES[one['body']]} | {LOSSES[one['loss']]} | {one['steps']} | {one['masked_acc']:.4f} "
            f"| {one['dev_loss']:.3f} | {one['tokens_per_second']:,.0f} | {one['peak_bytes'] / 1e6:,.0f} |"
        )
    return "\n".join([*lines, "", f"{machine.as_line(facts)}.", ""])


def write(found: Sequence[dict[str, Any]], planned: int, options: argparse.Namespace) -> str:
    """Both files; the report."""
    facts = machine.describe()
    if options.threads is not None:
        facts["threads"] = str(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    text = as_markdown(found, planned, options, facts)
    (options.out / "masked_lm.json").write_text(
        json.dumps({"cells": list(found), "planned": planned, "machine": facts}, indent=2) + "\n",
        encoding="utf-8",
    )
    (options.out / "masked_lm.md").write_text(text, encoding="utf-8")
    return text


def main() -> None:
    """Runs what is not there yet."""
    options = parse()
    cells = masked_lm_cells.plan(options)
    data = masked_lm_cells.write_data(options)
    found: list[dict[str, Any]] = []
    for cell in cells:
        if options.report_only and not cell.figures.is_file():
            continue
        found.append(masked_lm_cells.run(cell, data, options.threads))
        text = write(found, len(cells), options)
    print(text if found else "no cell is there yet")


if __name__ == "__main__":
    main()

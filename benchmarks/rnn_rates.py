"""Learning rates of students of words: what the rule takes, and what others would have given.

The runs of `rnn_students.py`, alone and distilled, one seed, with each rate of a grid; of pairs the BiLSTM
alone with few. Start it again at any time; the table is written after every cell, labelled PARTIAL until all
are there.
"""

import argparse
import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

import defaults_sets as sets
import machine
import rnn_students as rnn
import static_students as plain
import tested_cells

NAMES = ("sst2", "thucnews", "wikiqa", "lcqmc")
PAIRS = ("wikiqa", "lcqmc")
WAYS = {"bilstm": ("alone", "distilled"), "static": ("alone", "distilled"), "ltd": ("distilled",)}
RATES = (0.00075, 0.0015, 0.003, 0.006, 0.012)
LEFT_OUT = {"static": (0.00075,), "ltd": (0.00075, 0.012)}  # what the BiLSTM has answered
OF_PAIRS = (0.00075, 0.0015, 0.003)  # by the BiLSTM alone


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = tested_cells.parser_for(__doc__, "static_students", NAMES)
    parser.add_argument("--networks", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument(
        "--chinese-start", help="masked LM of chinese_masked_lm.py; default: random weights"
    )
    parser.set_defaults(seeds=[1])
    return tested_cells.parsed(parser, arguments)


def plan(options: argparse.Namespace) -> Iterator[plain.Cell]:
    """Teachers, then a cell for each network, set, way and rate."""
    cells = [cell for cell in rnn.plan(options) if cell.arm in ("teacher", *_arms(options))]
    yield from (cell for cell in cells if cell.arm == "teacher")
    for arm in _arms(options):
        for cell in cells:
            if cell.arm == arm:
                rates = _rates(arm.split()[0], cell.task)
                yield from (_with_rate(options, cell, rate) for rate in rates)


def _rates(network: str, task: str) -> tuple[float, ...]:
    if task in PAIRS:
        return OF_PAIRS if network == "bilstm" else ()
    return tuple(rate for rate in RATES if rate not in LEFT_OUT.get(network, ()))


def _arms(options: argparse.Namespace) -> list[str]:
    return [f"{network} {way}" for network in options.networks for way in WAYS[network]]


def _with_rate(options: argparse.Namespace, cell: plain.Cell, rate: float) -> plain.Cell:
    if cell.config.get("learning_rate") == rate:
        return dataclasses.replace(cell, arm=f"{cell.arm} {rate:g}")
    config = copy.deepcopy(cell.config) | {"learning_rate": rate}
    del config["output_dir"], config["cache_dir"]
    digest = tested_cells.digest_of(config, options.work)
    arm = f"{cell.arm} {rate:g}"
    name = arm.replace(" ", "-").replace(".", "_")  # a dot would begin a suffix
    folder = options.work / cell.task / f"rate-{name}-{digest}"
    config |= {"output_dir": str(folder), "cache_dir": str(options.work / "cache")}
    return dataclasses.replace(cell, arm=arm, config=config, folder=folder)


def summarise(options: argparse.Namespace) -> dict[str, Any]:
    """Dev and test accuracy by set, arm and rate, of what is finished."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    missing = []
    for cell in plan(options):
        if not tested_cells.is_done(cell):
            missing.append(cell.name)
        elif cell.arm != "teacher":
            arm, _, rate = cell.arm.rpartition(" ")
            row = rows.setdefault(
                (cell.task, arm), {"set": cell.task, "arm": arm, "dev": {}, "test": {}}
            )
            row["dev"][rate] = tested_cells.dev_value(cell.folder)
            row["test"][rate] = float(plain.hits(cell).mean())
    return {"rows": list(rows.values()), "missing": missing}


def as_markdown(results: dict[str, Any]) -> str:
    """The report, PARTIAL where cells are missing."""
    lines = ["# Learning rates of students of words", ""]
    if results["missing"]:
        names = ", ".join(results["missing"][:6])
        lines += [f"**PARTIAL: {len(results['missing'])} cells still to run, {names} first.**", ""]
    lines += [
        "The runs of rnn_students.py, one seed: accuracy (WikiQA: MAP) on dev, / on test rows. Word vectors "
        "128 wide that start as the teacher's, LSTMs of 150 units, AdamW, a tenth of the steps as warm-up.",
        "",
        f"| set | network | {' | '.join(f'{rate:g}' for rate in RATES)} |",
        "|---|---|" + "---|" * len(RATES),
    ]
    for row in results["rows"]:
        network, _, way = row["arm"].partition(" ")
        title = f"{rnn.NETWORKS[network][2]}, {rnn.WAYS[way]}"
        cells = []
        for rate in (f"{rate:g}" for rate in RATES):
            told = "–"
            if rate in row["dev"]:
                told = f"{100 * row['dev'][rate]:.1f} / {100 * row['test'][rate]:.1f}"
            best = rate in row["dev"] and row["dev"][rate] == max(row["dev"].values())
            cells.append(f"**{told}**" if best else told)
        lines.append(f"| {sets.SETS[row['set']].title} | {title} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"{machine.as_line(results['machine'])}.", ""])


def write(options: argparse.Namespace) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**summarise(options), "machine": machine.describe()}
    return tested_cells.write_results(options.out, "rnn_rates", results, as_markdown(results))


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    if not options.report_only:
        plain.prepare(options)
    return tested_cells.run(plan(options), options, lambda: write(options))


if __name__ == "__main__":
    raise SystemExit(main())

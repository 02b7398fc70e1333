"""Cells whose networks are scored once on a test part: how they are run, and what a benchmark does with them.

A cell is an ordinary chatstill run, then ``chatstill evaluate --split test``; it is finished when the test
figures are there. A run on a corpus has no test part: its class names the run's own figures.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import glue_cells
import kept_cells
from minilm import model_folder

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class TestedCell(glue_cells.Cell):
    """A cell with a test part."""

    @property
    def test(self) -> Path:
        """Where the figures of the test rows lie."""
        return self.folder.with_name(f"{self.folder.name}-test")

    @property
    def figures(self) -> Path:
        """What is written last."""
        return self.test / "metrics.json"

    @property
    def needs(self) -> "list[TestedCell]":
        """The cells whose networks it reads."""
        return [self.teacher] if isinstance(self.teacher, TestedCell) else []


AnyCell = TypeVar("AnyCell", bound=TestedCell)


def parser_for(
    doc: str | None, work: str, sets: Sequence[str], *, keeps: bool = True
) -> argparse.ArgumentParser:
    """The options that all have.

    Args:
        doc: What the benchmark does.
        work: Name of its work folder, and of its kept cells.
        sets: Those that can be chosen.
        keeps: Whether figures and scores are all that its table reads of a cell.
    """
    parser = argparse.ArgumentParser(description=doc)
    parser.set_defaults(cells=work if keeps else None)
    parser.add_argument("--sets", nargs="+", choices=list(sets), default=list(sets))
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work" / work)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of the sets"
    )
    parser.add_argument("--threads", type=int, help="threads of a run; default: torch's own")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--report-only", action="store_true", help="write the table, run nothing")
    return parser


def parsed(parser: argparse.ArgumentParser, arguments: list[str] | None) -> argparse.Namespace:
    """With whole paths: runs have working folders of their own."""
    options = parser.parse_args(arguments)
    options.work, options.data = options.work.resolve(), options.data.resolve()
    kept_cells.restore(options)
    return options


def digest_of(config: dict[str, Any], work: Path) -> str:
    """Tells settings apart, not the places where folders lie."""
    text = json.dumps(config, sort_keys=True).replace(str(work), "WORK")
    return hashlib.sha256(text.replace(str(model_folder()), "MINILM").encode()).hexdigest()[:8]


def is_done(cell: TestedCell) -> bool:
    """Whether its figures are there."""
    return cell.figures.is_file()


def dev_value(folder: Path) -> float:
    """The figure of a run that selected, on dev."""
    found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return float(found["dev"]["value"])


def run_cell(cell: TestedCell, threads: int | None) -> int:
    """Runs, or goes on with, a cell; 130 or 143 after a signal, else the run's exit code."""
    if not _has_test(cell):
        return glue_cells.run_cell(cell, threads)
    path = glue_cells.write_config(cell)
    here = str(Path(__file__).with_name("run_then_test.py"))
    words = [sys.executable, here, cell.verb, str(path), str(cell.folder), str(cell.test)]
    return glue_cells.run_and_wait(words, glue_cells.environment(threads))


def _has_test(cell: TestedCell) -> bool:
    return cell.figures.parent == cell.test


def _nothing(cell: Any) -> None:
    """Before a cell."""


def bring_back(
    cells: Iterable[TestedCell],
    threads: int | None,
    before: Callable[[Any], object] = _nothing,
    run: Callable[[Any, int | None], int] | None = None,
) -> int:
    """Runs those cells again of which the figures alone were kept, each after its own; the exit code."""
    for cell in cells:
        if kept_cells.network_is_there(cell.folder):
            continue
        if code := bring_back(cell.needs, threads, before, run):
            return code
        print(f"== {cell.name}: its network is not here", flush=True)
        kept_cells.forget(cell.folder, tested=_has_test(cell))
        before(cell)
        if code := (run or run_cell)(cell, threads):
            return code
        kept_cells.keep_costs(cell.folder)
    return 0


def run_missing(
    cells: Iterable[AnyCell],
    threads: int | None,
    after: Callable[[], object],
    before: Callable[[Any], object] = _nothing,
) -> tuple[int, list[str]]:
    """Runs the cells that are not finished; later ones may hang on what earlier ones found.

    Args:
        cells: In order; one that needs another which is not finished is passed over.
        threads: Of each run.
        after: Called after each run.
        before: Called with each cell before it runs, what it needs being there.

    Returns:
        143 or 130 after a signal, else 0; and a line for each cell that failed.
    """
    failed: list[str] = []
    for cell in cells:
        if is_done(cell) or not all(map(is_done, cell.needs)):
            continue
        code = bring_back(cell.needs, threads, before)
        if not code:
            before(cell)
            print(f"== {cell.name}", flush=True)
            code = run_cell(cell, threads)
        if code in (130, 143):
            print("stopped; start it again to go on")
            return code, failed
        if code or not is_done(cell):
            failed.append(f"{cell.name}: exit code {code}, see {cell.folder}")
        after()
    return 0, failed


def write_results(out: Path, name: str, results: dict[str, Any], text: str) -> str:
    """``NAME.json`` and ``NAME.md``; returns the text."""
    out.mkdir(parents=True, exist_ok=True)
    words = json.dumps(results, indent=2) + "\n"
    (out / f"{name}.json").write_text(words, encoding="utf-8")
    (out / f"{name}.md").write_text(text, encoding="utf-8")
    return text


def run(
    cells: Iterable[AnyCell],
    options: argparse.Namespace,
    write: Callable[[], str],
    before: Callable[[Any], object] = _nothing,
) -> int:
    """The whole benchmark: what is missing, then the table; 0 if every cell is finished."""

    def after() -> None:
        write()
        kept_cells.keep(options)

    missing = () if options.report_only else cells
    code, failed = run_missing(missing, options.threads, after, before)
    if code:
        return code
    text = write()
    kept_cells.keep(options)
    print(text)
    for line in failed:
        print(f"failed: {line}")
    return 0 if "PARTIAL" not in text else 1

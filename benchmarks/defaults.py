"""The values that a run takes where its file leaves them out, against the best of a small grid.

Six sets, three of them Chinese, at most 4,000 rows each; two students: half of the teacher's layers, and two
layers of random weights, 128 wide; KD. *Left out*: neither learning rate nor epochs nor selection stand in
the file. The grid: a quarter, half, twice and four times that rate, and two epochs in place of the usual
number. Test rows, apart from dev; the best of the grid is chosen on dev. Each cell is an ordinary chatstill
run; start it again at any time. The table is written after every cell, labelled PARTIAL until all are there.
"""

import argparse
import dataclasses
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import defaults_sets as sets
import machine
import small_chinese
import tested_cells
from minilm import model_folder

ARMS = ("left out", "rate x 1/4", "rate x 4", "2 epochs", "rate x 1/2", "rate x 2")
STUDENTS = ("half", "random")
NARROW = {
    "num_hidden_layers": 2,
    "hidden_size": 128,
    "num_attention_heads": 4,
    "intermediate_size": 512,
}
CHINESE_WIDTHS = {"thucnews": 128, "lcqmc": 256, "kdconv": 128}
FACTORS = {"rate x 1/4": 0.25, "rate x 1/2": 0.5, "rate x 2": 2.0, "rate x 4": 4.0}


@dataclasses.dataclass(frozen=True)
class Cell(tested_cells.TestedCell):
    """A run; ``student`` is ``half`` or ``random``."""

    student: str = ""

    @property
    def name(self) -> str:
        """As in ``sst2 half rate x 4``."""
        return f"{self.task} {self.student} {self.arm}".replace("  ", " ")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = tested_cells.parser_for(__doc__, "defaults", sets.SIX)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    return tested_cells.parsed(parser, arguments)


def plan(options: argparse.Namespace) -> Iterator[Cell]:
    """All cells, each after its teacher; what is most telling first."""
    teachers = {name: _cell(options, name, "", "teacher", None) for name in options.sets}
    yield from teachers.values()
    for arm in options.arms:
        for name in options.sets:
            for student in STUDENTS:
                yield _cell(options, name, student, arm, teachers[name])


def _cell(
    options: argparse.Namespace, name: str, student: str, arm: str, teacher: Cell | None
) -> Cell:
    of_set = sets.SETS[name]
    config: dict[str, Any] = {
        "data": sets.data_block(name, options.work / "data" / name),
        "max_seq_length": of_set.max_seq_length,
        "allow_weak_teacher": True,
        "bf16": True,
        "label_noise": [],
        "seed": 1,
    }
    if of_set.group:
        config["positive_label"] = "match"
    start = start_of(options, name)
    if teacher is None:
        config["teacher_architectures"] = {"model_name_or_path": str(start)}
    else:
        config["model_type"] = "KD"
        own = {"model_name_or_path": str(teacher.folder / "teacher")}
        config["teacher_architectures"] = own
        if student == "random":
            file = options.work / "students" / f"{name}.json"
            config["student_architectures"] = {"config_file": str(file), "copy_from": "none"}
        if arm in FACTORS:
            config["learning_rate"] = FACTORS[arm] * _usual_rate(start, student)
        if arm == "2 epochs":
            config["num_train_epochs"] = 2
    digest = tested_cells.digest_of(config, options.work)
    folder = options.work / name / f"{student}-{arm}-{digest}".replace(" ", "-").replace("/", "-")
    config["output_dir"] = str(folder)
    config["cache_dir"] = str(options.work / "cache")
    verb = "teach" if teacher is None else "distill"
    return Cell(name, arm, 1, verb, config, folder, teacher, student)


def start_of(options: argparse.Namespace, name: str) -> Path:
    """The network that a set's teacher starts from."""
    if not sets.SETS[name].chinese:
        return model_folder()
    return options.work / f"{name}-bert-4x{CHINESE_WIDTHS[name]}" / "model"


def _usual_rate(start: Path, student: str) -> float:
    from chatstill.run.usual_values import usual_rate

    if student == "random":
        return usual_rate(NARROW["hidden_size"], "random")
    width = json.loads((start / "config.json").read_text(encoding="utf-8"))["hidden_size"]
    return usual_rate(width, "copied")


def prepare(options: argparse.Namespace) -> None:
    """Data, networks to start from, and the narrow students' architectures."""
    for name in options.sets:
        folder = options.work / "data" / name
        sets.build(name, options.data, folder)
        start = start_of(options, name)
        if sets.SETS[name].chinese:
            lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
            texts = [value for line in lines for value in json.loads(line).values()]
            small_chinese.build(start.parent, map(str, texts), width=CHINESE_WIDTHS[name])
        values = json.loads((start / "config.json").read_text(encoding="utf-8"))
        file = options.work / "students" / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values | NARROW, indent=2) + "\n", encoding="utf-8")


def figures(cell: Cell) -> dict[str, float]:
    """The selecting metric on dev and on test."""
    test = tested_cells.dev_value(cell.test)  # evaluate writes any split under that name
    return {"dev": tested_cells.dev_value(cell.folder), "test": test}


def summarise(options: argparse.Namespace) -> dict[str, Any]:
    """Of every set and student each arm's figures; what leaving out costs; what is missing."""
    missing, found = [], {}
    for cell in plan(options):
        if tested_cells.is_done(cell):
            found[cell.task, cell.student, cell.arm] = figures(cell)
        else:
            missing.append(cell.name)
    rows = []
    for name in options.sets:
        for student in STUDENTS:
            arms = {arm: found[name, student, arm] for arm in ARMS if (name, student, arm) in found}
            if "left out" in arms:
                best = max(arms, key=lambda arm: arms[arm]["dev"])
                less = arms["left out"]["test"] - arms[best]["test"]
                teacher = found.get((name, "", "teacher"))
                rows.append({"set": name, "student": student, "arms": arms, "best": best})
                rows[-1] |= {"less": less, "teacher": teacher["test"] if teacher else None}
    costs = {
        arm: statistics.mean(values)
        for arm in ARMS[1:]
        if (
            values := [
                row["arms"][arm]["test"] - row["arms"]["left out"]["test"]
                for row in rows
                if arm in row["arms"]
            ]
        )
    }
    return {"rows": rows, "costs": costs, "missing": missing}


def as_markdown(results: dict[str, Any]) -> str:
    """The report, PARTIAL where cells are missing."""
    missing, rows = results["missing"], results["rows"]
    lines = ["# What is taken where the file says nothing, against a small grid", ""]
    if missing:
        more = f" and {len(missing) - 6} more" if missing[6:] else ""
        lines += [f"**PARTIAL: still to run: {', '.join(missing[:6])}{more}.**", ""]
    lines += [
        "KD, at most 4,000 training rows, test rows apart from dev, one seed. Half: half of the teacher's "
        "layers, copied. Random: 2 layers of random weights, 128 wide. *Less the best*: the test figure of "
        "the run whose file leaves the values out, less that of the run of the whole grid that dev would "
        "choose. English teachers: MiniLM, 6 × 384; the Chinese ones start from random weights, 4 layers of "
        "128 (LCQMC: 256). Figures: accuracy, STS-B Pearson, KdConv MRR, times 100.",
        "",
        f"| set | student | teacher | {' | '.join(ARMS)} | best by dev | less the best |",
        f"|---|---|---|{'---|' * len(ARMS)}---|---|",
    ]
    for row in rows:
        values = [
            f"{100 * row['arms'][arm]['test']:.1f}" if arm in row["arms"] else "–" for arm in ARMS
        ]
        teacher = "–" if row["teacher"] is None else f"{100 * row['teacher']:.1f}"
        parts = [sets.SETS[row["set"]].title, row["student"], teacher, *values, row["best"]]
        lines.append(f"| {' | '.join(parts)} | {100 * row['less'] + 0.0:+.1f} |")
    if rows:
        less = [row["less"] for row in rows]
        lines += [
            "",
            f"On average {100 * statistics.mean(less):+.1f}, at worst {100 * min(less):+.1f}.",
        ]
    for arm, cost in results["costs"].items():
        lines.append(f"Mean of *{arm}* less *left out*: {100 * cost:+.1f}.")
    return "\n".join([*lines, "", f"{machine.as_line(results['machine'])}.", ""])


def write(options: argparse.Namespace) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**summarise(options), "machine": machine.describe()}
    return tested_cells.write_results(options.out, "defaults", results, as_markdown(results))


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    prepare(options)
    return tested_cells.run(plan(options), options, lambda: write(options))


if __name__ == "__main__":
    raise SystemExit(main())

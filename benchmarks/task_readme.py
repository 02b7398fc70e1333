"""The rows of the READMEs' table on distillation on the task, from results/task_distillation.json.

python benchmarks/task_readme.py en    # or zh
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "task_distillation.json"
NAMES = {"sst2": "SST-2", "mrpc": "MRPC", "rte": "RTE", "stsb": "STS-B"}
TITLES = {"en": "THUCNews titles", "zh": "THUCNews 标题"}
STUDENTS = {"half": "3 × 384", "small": "4 × 312"}
METHODS = ("alone", "kd", "kd-more", "pkd", "tinybert", "takd")


def rows(results: dict[str, Any], language: str) -> Iterator[str]:
    """One line of Markdown for each task and student that has finished cells."""
    for task, name in {**NAMES, "thucnews": TITLES[language]}.items():
        for student, size in STUDENTS.items():
            found = {
                row["arm"]: row
                for row in results["rows"]
                if (row["task"], row["student"]) == (task, student)
            }
            if not found:
                continue
            numbers = sorted({len(row["seeds"]) for row in found.values()})
            seeds = "–".join(map(str, (numbers[0], numbers[-1])[: len(numbers)]))
            teacher = f"{100 * results['teachers'][task]['value']:.1f}"
            cells = [_cell(found.get(method)) for method in METHODS]
            yield f"| {' | '.join([name, size, seeds, teacher, *cells])} |"


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "–"
    value = f"{100 * row['mean']:.1f}"
    if "over_alone" not in row:
        return value
    low, high = (f"{100 * end:+.1f}".replace("-", "−") for end in row["over_alone"]["interval"])
    return f"{value} [{low}, {high}]"


if __name__ == "__main__":
    language = sys.argv[1] if len(sys.argv) > 1 else "en"
    print("\n".join(rows(json.loads(RESULTS.read_text(encoding="utf-8")), language)))

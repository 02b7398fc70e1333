"""From finished cells to the table of `few_labels.py`: test figures, paired differences to the best alone.

``python benchmarks/few_labels_table.py en`` (or ``zh``) prints the READMEs' rows.
"""

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

import few_labels_cells as cells
import few_labels_data as data
import kept_cells
import machine
import tested_cells

RESAMPLES = 1000
TITLES = {
    "alone-pretrained": "alone, from the layers that the teacher started from",
    "alone-teacher": "alone, from the teacher's layers",
    "kd": "KD, labelled rows",
    "kd-more": "KD, and the others",
    "kd-more-x4": "the same, four times the steps",
    "tiny": "TinyBERT 1 + 2, labelled rows",
    "tiny-more": "TinyBERT 1 + 2, and the others",
    "tiny-more-x4": "the same, four times the steps",
}
CHINESE = {
    False: "from random weights (no Chinese weights can be installed here)",
    True: "from a small masked language model of Chinese texts, the rows without labels among them "
    "(chinese_masked_lm.py)",
}


def summarise(options: Any) -> dict[str, Any]:
    """Of every set: the teacher, every arm's test figures over the seeds, and what is missing."""
    done: dict[tuple[str, str, int], list[cells.FewCell]] = defaultdict(list)
    missing = []
    for cell in cells.plan(options):
        if tested_cells.is_done(cell):
            keep(cell)
            done[cell.task, cell.arm, cell.seed].append(cell)
        else:
            missing.append(cell.name)
    sets: dict[str, Any] = {}
    for name in options.sets:
        teacher = done.get((name, "teacher", options.seeds[0]), [])
        if not teacher:
            continue
        arms = {
            arm: {
                seed: max(own, key=cells.dev_value)
                for seed in options.seeds
                if (own := done.get((name, arm, seed)))
            }
            for arm in options.arms
        }
        best = max(teacher, key=cells.dev_value)
        sets[name] = _of_set(name, best, {arm: own for arm, own in arms.items() if own})
        if data.SETS[name].group is None:
            sets[name]["tf_idf"] = tf_idf(options.work, name)
    unknown = [name for name in options.sets if name not in sets]
    found = {"sets": sets, "missing": missing, "not_begun": unknown, "steps": cells.STEPS}
    return found | {"chinese_start": bool(options.chinese_start)}


def _of_set(
    name: str, teacher: cells.FewCell, arms: dict[str, dict[int, cells.FewCell]]
) -> dict[str, Any]:
    found: dict[str, Any] = {"teacher": {"value": _value(teacher), "rate": teacher.rate}}
    rows = json.loads((teacher.folder.parents[1] / "data" / name / "rows.json").read_text("utf-8"))
    found |= {"rows": rows, "metric": data.SETS[name].main, "arms": {}}
    alone = {arm: own for arm, own in arms.items() if arm in cells.ALONE}
    # The rival is the better of the two starts on the test rows themselves: it is favoured by that.
    rival = max(alone, key=lambda arm: _mean(alone[arm], _value), default=None)
    for arm, own in arms.items():
        values = [_value(cell) for cell in own.values()]
        row: dict[str, Any] = {"seeds": sorted(own), "mean": statistics.mean(values)}
        row["values"] = values
        row["rates"] = sorted({cell.rate for cell in own.values()})
        if rival and arm not in cells.ALONE:
            pairs = [
                (own[seed], alone[rival][seed]) for seed in sorted(own) if seed in alone[rival]
            ]
            if pairs:
                row["over"] = rival
                row["difference"], row["interval"] = difference(name, pairs)
        found["arms"][arm] = row
    return found


def _mean(own: dict[int, cells.FewCell], value: Any) -> float:
    return statistics.mean(map(value, own.values()))


def _value(cell: cells.FewCell) -> float:
    return float(per_unit(cell).mean())


def tf_idf(work: Path, name: str) -> dict[str, Any]:
    """The linear model of ``chatstill evaluate --tf-idf``, of the labelled rows alone; computed once."""
    file = work / name / f"tf-idf{kept_cells.ONE_FILE}"
    if not file.is_file():
        from chatstill.config.schema import DataKeys
        from chatstill.evaluate.linear_model import learnt
        from chatstill.tasks.tabular import TabularTask

        folder = work / "data" / name
        block = data.data_block(name, folder, unlabeled=False, teacher=False)
        task = TabularTask(DataKeys(**block))
        train, test = (
            list(task.read(folder / f"{part}.jsonl", part)) for part in ("train", "test")
        )  # type: ignore[arg-type]
        found = learnt(task, train, test)
        right = found.scores.argmax(1) == np.array([row.label for row in test])
        value = {"value": float(right.mean()), "words": found.words, "strength": found.strength}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value) + "\n", encoding="utf-8")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def keep(cell: cells.FewCell) -> None:
    """Draws together what is read of a finished cell, once."""
    if not cell.kept.is_file():
        found = {"dev": cells.dev_value(cell), "test": per_unit(cell).tolist()}
        cell.kept.write_text(json.dumps(found) + "\n", encoding="utf-8")


def per_unit(cell: cells.FewCell) -> np.ndarray:
    """(U,) of the test part: 1 or 0 for each row, the reciprocal rank of each group where rows are ranked."""
    if cell.kept.is_file():
        kept = json.loads(cell.kept.read_text(encoding="utf-8"))
        return np.asarray(kept["test"], dtype=np.float64)
    from chatstill.tasks.predictions import read_predictions
    from chatstill.tasks.ranking import group_table

    of_set = data.SETS[cell.task]
    found = read_predictions(cell.test / "predictions.tsv", of_set.classes)
    if of_set.group is None:
        return np.asarray(found.scores.argmax(1) == found.labels, dtype=np.float64)
    scores = found.scores[:, 1] - found.scores[:, 0]
    return group_table(scores, found.labels == 1, found.groups or []).values["mrr"]


def difference(
    name: str, pairs: list[tuple[cells.FewCell, cells.FewCell]], seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """Mean over seeds of one arm minus the other, and its 95 % interval over units and seeds, paired."""
    each = np.array([per_unit(a) - per_unit(b) for a, b in pairs])  # (S, U)
    generator = np.random.default_rng(seed)
    drawn = [
        each[generator.integers(len(each), size=len(each))][
            :, generator.integers(each.shape[1], size=each.shape[1])
        ].mean()
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(each.mean()), (float(low), float(high))


def as_markdown(results: dict[str, Any]) -> str:
    """The report, PARTIAL where cells are missing."""
    lines = ["# Few labels, many rows without", ""]
    lacking = results["missing"] + results["not_begun"]
    if lacking:
        more = f" and {len(lacking) - 6} more" if lacking[6:] else ""
        lines += [f"**PARTIAL: still to run: {', '.join(lacking[:6])}{more}.**", ""]
    lines += [
        f"Test rows, apart from dev. {data.LABELLED:,} labelled rows, the others without their labels. "
        "The teacher is fine-tuned on the labelled rows, of LCQMC and KdConv on all rows with their labels; "
        "students have half its layers and "
        f"{results['steps']} optimizer steps of 32 rows (four times as many where it says so). Alone: "
        "the best of three learning rates (the Chinese sets: four) by dev, chosen with the first seed "
        "(KdConv's teacher: of three from 5e-5 on, as 3e-4 teaches it nothing); the methods take the second "
        "one, untuned. Every network is the best of its run on dev. Differences: to "
        "that of the two fine-tuned alone which is better on these test rows; mean over seeds, 95 % interval "
        "of a paired bootstrap over test rows (chat: groups) and seeds. SST-2: MiniLM, 6 × 384 to 3; the "
        f"Chinese sets: 4 × 256, {CHINESE[results['chinese_start']]}, to 2.",
        "",
    ]
    for name, found in results["sets"].items():
        of_set, rows = data.SETS[name], found["rows"]
        if not found["arms"]:
            continue
        lines += [
            f"## {of_set.title}",
            "",
            f"{rows['unlabeled']:,} rows without labels, {rows['dev']:,} dev, {rows['test']:,} test; "
            f"{found['metric']}; teacher {100 * found['teacher']['value']:.1f}{_linear(found)}.",
            "",
            "| student | seeds | test | of teacher | over alone | learning rate |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_line(arm, row, found["teacher"]["value"]) for arm, row in found["arms"].items()]
        lines.append("")
    return "\n".join([*lines, f"{machine.as_line(results['machine'])}.", ""])


def _linear(found: dict[str, Any]) -> str:
    if "tf_idf" not in found:
        return ""
    of = found["tf_idf"]
    told = f"{of['words']} and pairs of neighbours, logistic regression, C {of['strength']:g}"
    return f"; TF-IDF, learnt from the labelled rows, {100 * of['value']:.1f} ({told})"


def _line(arm: str, row: dict[str, Any], teacher: float) -> str:
    values = f"{100 * row['mean']:.1f}"
    if len(row["values"]) > 1:
        values += f" ({', '.join(f'{100 * value:.1f}' for value in row['values'])})"
    over = "–"
    if "difference" in row:
        low, high = row["interval"]
        mean = round(100 * row["difference"], 1) + 0.0
        over = f"{mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
    rates = ", ".join(f"{rate:g}" for rate in row["rates"])
    parts = [TITLES[arm], str(len(row["seeds"])), values, f"{100 * row['mean'] / teacher:.1f} %"]
    return f"| {' | '.join([*parts, over, rates])} |"


README_TITLES = {
    "en": {name: of_set.title for name, of_set in data.SETS.items()},
    "zh": {"sst2": "SST-2", "thucnews": "THUCNews 标题", "lcqmc": "LCQMC", "kdconv": "KdConv 对话"},
}


def readme_rows(results: dict[str, Any], language: str) -> list[str]:
    """The READMEs' table: a row for each set with finished cells, the better of the two alone once."""
    rows = []
    for name, found in results["sets"].items():
        arms = found["arms"]
        if "kd-more" not in arms:
            continue
        rival = arms[arms["kd-more"]["over"]]
        number = len(arms["kd-more"]["seeds"])
        cells_of = [_cell(arms.get(arm), number, language) for arm in METHODS_SHOWN]
        teacher = f"{100 * found['teacher']['value']:.1f}"
        alone = _cell(rival, number, language)
        linear = f"{100 * found['tf_idf']['value']:.1f}" if "tf_idf" in found else "–"
        parts = [README_TITLES[language][name], str(number), linear, teacher, alone, *cells_of]
        rows.append(f"| {' | '.join(parts)} |")
    return rows


METHODS_SHOWN = ("kd", "kd-more", "kd-more-x4", "tiny-more")


def _cell(row: dict[str, Any] | None, number: int, language: str) -> str:
    """A figure, its interval, and its seeds where they are not those of the row."""
    if row is None:
        return "–"
    text = f"{100 * row['mean']:.1f}"
    if "interval" in row:
        low, high = (f"{100 * end:+.1f}".replace("-", "−") for end in row["interval"])
        text += f" [{low}, {high}]"
    own = len(row["seeds"])
    if own == number:
        return text
    return f"{text}, {own} seed{'s' * (own > 1)}" if language == "en" else f"{text}，{own} 个种子"


if __name__ == "__main__":
    path = Path(__file__).parent / "results" / "few_labels.json"
    wanted = sys.argv[1] if len(sys.argv) > 1 else "en"
    print("\n".join(readme_rows(json.loads(path.read_text(encoding="utf-8")), wanted)))

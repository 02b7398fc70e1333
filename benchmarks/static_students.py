"""Static students: word vectors, their mean and a small classifier, beside their teacher and a plain rival.

SST-2 (20,000 rows; and 1,000 labelled ones of them, the rest without), LCQMC and THUCNews titles, test rows
apart from dev. TF-IDF with logistic regression over
the same words (and pairs of neighbouring ones), its C chosen on dev; the static network alone, on gold
labels, and distilled, each from random vectors and from vectors that the teacher made without data. Score
with paired intervals against the network alone, megabytes, and latency at batch 1 with the cutting of words
beside it. Each cell is an ordinary chatstill run; start it again at any time. The table is written after
every cell, labelled PARTIAL until all are there.
"""

import argparse
import dataclasses
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import dc_bert_figures
import defaults_sets as sets
import machine
import network_costs
import small_chinese
import tested_cells
from minilm import model_folder

NAMES = ("sst2", "sst2-few", "lcqmc", "thucnews")
MOST_ROWS = 20_000
ARMS = {
    "alone": "static, alone (random vectors, gold labels)",
    "distilled": "static, distilled (random vectors)",
    "vectors alone": "static, alone, from the teacher's vectors",
    "vectors distilled": "static, distilled, from the teacher's vectors",
    "long alone": "static, alone, as many steps as with the other rows (random vectors)",
    "distilled more": "static, distilled with the other rows without labels (random vectors)",
    "vectors distilled more": "the same, from the teacher's vectors",
}
WITH_MORE = ("sst2", "sst2-few")  # their teacher is better than a static network, and rows are left
STEPS_WITH_OTHERS = 2500  # 4 epochs of 20,000 rows, which is usual for them
FEW = 1000  # labelled rows of sst2-few; 19,000 others have none
CHINESE_WIDTH, SMALL_RATE = 256, 3e-4
SEGMENTERS = {"sst2": "words", "wikiqa": "words", "lcqmc": "jieba", "thucnews": "jieba"}
STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # C of the logistic regression
RESAMPLES = 1000


@dataclasses.dataclass(frozen=True)
class Cell(tested_cells.TestedCell):
    """A run."""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = tested_cells.parser_for(__doc__, "static_students", list(NAMES))
    return tested_cells.parsed(parser, arguments)


def plan(options: argparse.Namespace) -> Iterator[Cell]:
    """All cells, each after its teacher."""
    for name in options.sets:
        teacher = teacher_of(options, name)
        yield teacher
        for arm in ARMS:
            if (arm.endswith("more") and name not in WITH_MORE) or (
                arm.startswith("long") and not name.endswith("-few")
            ):
                continue
            yield _cell(options, name, arm, teacher)


def teacher_of(options: argparse.Namespace, name: str) -> Cell:
    """The run that fine-tunes a set's teacher."""
    return _cell(options, name, "teacher", None)


def _cell(options: argparse.Namespace, name: str, arm: str, teacher: Cell | None) -> Cell:
    config: dict[str, Any] = {
        "data": sets.data_block(whole(name), options.work / "data" / name),
        "max_seq_length": sets.SETS[whole(name)].max_seq_length,
        "per_gpu_train_batch_size": 32,
        "allow_weak_teacher": True,
        "label_noise": [],
        "seed": 1,
    }
    config |= sets.judged(whole(name))
    if teacher is None:
        config |= {"bf16": True, "num_train_epochs": 3}
        if sets.SETS[whole(name)].chinese and getattr(options, "chinese_start", None):
            config |= {
                "num_train_epochs": 6,
                "learning_rate": SMALL_RATE,
            }  # it has learnt little yet
        config["teacher_architectures"] = {"model_name_or_path": str(start_of(options, name))}
    else:
        config["model_type"] = "StaticDistill"
        config["teacher_architectures"] = {"model_name_or_path": str(teacher.folder / "teacher")}
        vectors = "teacher" if arm.startswith("vectors") else "random"
        network = {"segmenter": SEGMENTERS[whole(name)], "vectors": vectors}
        config["student_architectures"] = {"network": network}
        if arm.endswith("more"):
            config["data"]["unlabeled"] = str(others(options, name))
        if arm.startswith("long"):
            config["max_steps"] = STEPS_WITH_OTHERS
        if arm.endswith("alone"):
            config["distillation"] = {"terms": {"soft": {"weight": 0}, "hard": {"weight": 1}}}
    digest = tested_cells.digest_of(config, options.work)
    folder = options.work / name / f"{arm.replace(' ', '-')}-{digest}"
    config |= {"output_dir": str(folder), "cache_dir": str(options.work / "cache")}
    verb = "teach" if teacher is None else "distill"
    return Cell(name, arm, 1, verb, config, folder, teacher)


def whole(name: str) -> str:
    """The set that a name's rows are of."""
    return name.removesuffix("-few")


def others(options: argparse.Namespace, name: str) -> Path:
    """The rows of a set that are neither trained on nor held out, without their labels."""
    return options.work / "data" / name / "unlabeled.jsonl"


def write_others(options: argparse.Namespace, name: str) -> None:
    """Writes them, in the order of the file they come from."""
    file = others(options, name)
    if file.is_file():
        return
    if name.endswith("-few"):
        rest = few_of(options, name)
        text = "".join(json.dumps({"text": row["text"]}, ensure_ascii=False) + "\n" for row in rest)
        file.write_text(text, encoding="utf-8")
        return
    used = set()
    for part in ("train", "dev", "test"):
        lines = file.with_name(f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
        used |= {json.loads(line)["text"] for line in lines}
    rows = sets.read(name, options.data / sets.SETS[name].train)
    left = dict.fromkeys(row["text"] for row in rows if row["text"] not in used)
    text = "".join(json.dumps({"text": row}, ensure_ascii=False) + "\n" for row in left)
    file.write_text(text, encoding="utf-8")


def few_of(options: argparse.Namespace, name: str) -> list[dict[str, Any]]:
    """Writes the parts of a set with few labels; gives the training rows that are left without theirs."""
    source, target = (options.work / "data" / one for one in (whole(name), name))
    target.mkdir(parents=True, exist_ok=True)
    lines = (source / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (target / "train.jsonl").write_text("".join(lines[:FEW]), encoding="utf-8")
    for part in ("dev", "test"):
        copied = (source / f"{part}.jsonl").read_text(encoding="utf-8")
        (target / f"{part}.jsonl").write_text(copied, encoding="utf-8")
    return [json.loads(line) for line in lines[FEW:]]


def start_of(options: argparse.Namespace, name: str) -> Path:
    """The network that a set's teacher starts from."""
    if not sets.SETS[whole(name)].chinese:
        return model_folder()
    if getattr(options, "chinese_start", None):
        return Path(options.work, "chinese_start")
    return options.work / f"{name}-bert-4x{CHINESE_WIDTH}" / "model"


def prepare(options: argparse.Namespace) -> None:
    """Data, and networks to start from."""
    for name in options.sets:
        folder = options.work / "data" / name
        sets.build(whole(name), options.data, options.work / "data" / whole(name), MOST_ROWS)
        if name in WITH_MORE:
            write_others(options, name)
        if sets.SETS[whole(name)].chinese and getattr(options, "chinese_start", None):
            shutil.copytree(options.chinese_start, start_of(options, name), dirs_exist_ok=True)
        elif sets.SETS[whole(name)].chinese:
            lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()
            texts = (str(value) for line in lines for value in json.loads(line).values())
            small_chinese.build(start_of(options, name).parent, texts, width=CHINESE_WIDTH)


def hits(cell: Cell, folder: Path | None = None) -> np.ndarray:
    """(N,) 1 for a test row that is called right, else 0; of ranked rows the MAP of each question.

    Args:
        cell: A finished one.
        folder: Where its answers lie; None: its own.
    """
    folder = folder or cell.test
    if sets.SETS[whole(cell.task)].group:
        return np.array(dc_bert_figures.of_run(folder, ("no", "yes"))["map"])
    lines = (folder / "predictions.tsv").read_text(encoding="utf-8").splitlines()
    head = lines[0].split("\t")
    label, called = head.index("label"), head.index("prediction")
    rows = [line.split("\t") for line in lines[1:]]
    return np.array([row[label] == row[called] for row in rows], np.float64)


def tf_idf(options: argparse.Namespace, name: str) -> dict[str, Any]:
    """Logistic regression on TF-IDF, at its best by dev; kept in the work folder once computed."""
    file = options.work / name / "tf_idf.json"
    if file.is_file():
        return dict(json.loads(file.read_text(encoding="utf-8")))
    from sklearn.linear_model import LogisticRegression

    parts = {
        part: [
            json.loads(line)
            for line in (options.work / "data" / name / f"{part}.jsonl")
            .read_text("utf-8")
            .splitlines()
        ]
        for part in ("train", "dev", "test")
    }
    labels = [row["label"] for row in parts["train"]]
    best: tuple[float, dict[str, Any]] = (-1.0, {})
    for kind, counted in _counted(SEGMENTERS[whole(name)], sets.SETS[whole(name)].chinese).items():
        found = _matrices(parts, counted)
        for strength in STRENGTHS:
            model = LogisticRegression(C=strength, max_iter=1000).fit(found["train"], labels)
            score = float(np.mean(_right(model, found["dev"], parts["dev"])))
            if score <= best[0]:
                continue
            size = model.coef_.astype(np.float32).nbytes / 1e6
            result = {"C": strength, "features": found["train"].shape[1], "counted": kind}
            right = _right(model, found["test"], parts["test"])
            best = score, {**result, "megabytes": size, "right": right}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(best[1]) + "\n", encoding="utf-8")
    return best[1]


def _counted(segmenter: str, chinese: bool) -> dict[str, Callable[[str], list[str]]]:
    """What can be counted of a text: words, and in Chinese characters, each with pairs of neighbours."""
    from chatstill.evaluate.tf_idf import characters_of
    from chatstill.text.segment import load_segmenter

    cutter = load_segmenter(segmenter)
    found = {"words": lambda text: _and_pairs(cutter.cut(text.lower()))}
    if chinese:
        found["characters"] = lambda text: _and_pairs(characters_of(text))
    return found


def _matrices(
    parts: dict[str, list[dict[str, Any]]], counted: Callable[[str], list[str]]
) -> dict[str, Any]:
    """What a linear model can read: of a pair both texts, shared, and different words."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    fields = ["text", "other"] if "other" in parts["train"][0] else ["text"]
    vectorizer = TfidfVectorizer(analyzer=counted, sublinear_tf=True)
    vectorizer.fit([row[field] for field in fields for row in parts["train"]])
    found = {}
    for part, rows in parts.items():
        each = [vectorizer.transform([row[field] for row in rows]) for field in fields]
        if len(each) == 2:
            one, two = each
            each = [one, two, one.multiply(two), abs(one - two)]
        found[part] = hstack(each).tocsr()
    return found


def _right(model: Any, features: Any, rows: list[dict[str, Any]]) -> list[float]:
    """What `hits` gives of a network."""
    labels = np.array([row["label"] for row in rows])
    if "group" not in rows[0]:
        found: list[float] = (model.predict(features) == labels).astype(int).tolist()
        return found
    groups = [row["group"] for row in rows]
    scores = model.decision_function(features)
    return dc_bert_figures.of_questions(scores, labels == model.classes_[1], groups)["map"]


def _and_pairs(words: list[str]) -> list[str]:
    return [*words, *(f"{one} {two}" for one, two in itertools.pairwise(words))]


def summarise(options: argparse.Namespace) -> dict[str, Any]:
    """Of each set and arm: the score, its paired interval against the network alone, sizes and times."""
    done = {cell.name: cell for cell in plan(options) if tested_cells.is_done(cell)}
    missing = [cell.name for cell in plan(options) if cell.name not in done]
    rows: list[dict[str, Any]] = []
    for name in options.sets:
        arms = {arm: done.get(f"{name} {arm} seed 1") for arm in ("teacher", *ARMS)}
        alone = arms["alone"]
        if alone is None:
            continue
        base = hits(alone)
        plain = tf_idf(options, name)
        right = np.array(plain["right"], np.float64)
        rows.append(_row(name, "tf-idf", right, base) | {"megabytes": plain["megabytes"]})
        rows += [
            _row(name, arm, hits(cell), base) | costs(options, cell)
            for arm, cell in arms.items()
            if cell
        ]
    return {"rows": rows, "missing": missing, "arms": ARMS}


def compared(right: np.ndarray, base: np.ndarray) -> dict[str, Any]:
    """The difference of two networks on the same rows (N,), with its interval."""
    drawn = np.random.default_rng(0).integers(0, len(right), (RESAMPLES, len(right)))
    means = (right - base)[drawn].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {"over alone": float((right - base).mean()), "interval": [float(low), float(high)]}


def _row(name: str, arm: str, right: np.ndarray, base: np.ndarray) -> dict[str, Any]:
    row = {"set": name, "arm": arm, "score": float(right.mean()), "rows": len(right)}
    return row | compared(right, base)


def costs(options: argparse.Namespace, cell: Cell) -> dict[str, Any]:
    """What `network_costs.costs` says of a cell's network."""
    network = cell.folder / ("teacher" if cell.verb == "teach" else "student")
    rows = options.work / "data" / cell.task / "test.jsonl"
    return network_costs.costs(cell.folder, network, rows, cell.config["max_seq_length"])


def ms_text(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Milliseconds of a row; marked where its set's teacher was timed on another device."""
    if "ms" not in row:
        return "–"
    devices = {
        one["arm"]: one["ms"].get("device")
        for one in rows
        if one["set"] == row["set"] and "ms" in one
    }
    mark = "" if row["ms"].get("device") == devices.get("teacher") else f" ({row['ms']['device']})"
    return f"{row['ms']['ids']:.2f} + {row['ms']['network']:.2f}{mark}"


def as_markdown(results: dict[str, Any]) -> str:
    """The report, PARTIAL where cells are missing."""
    lines = ["# Static students beside their teachers", ""]
    if results["missing"]:
        lines += [f"**PARTIAL: still to run: {', '.join(results['missing'])}.**", ""]
    lines += [
        f"At most {MOST_ROWS:,} training rows, accuracy on test rows apart from dev, one seed. Teachers: "
        "SST-2 MiniLM (6 × 384), 3 epochs of fine-tuning; the Chinese ones start random, 4 layers of "
        f"{CHINESE_WIDTH}. In brackets the 95 % interval of the difference to the network alone, over test "
        "rows. TF-IDF: words, in Chinese also characters, and pairs of neighbours, of two texts also "
        "product and difference; these and C chosen on dev. Milliseconds: the median of one row at batch 1, "
        "making ids (cutting words) + the network.",
        "",
        "| set | network | accuracy | over alone | MB | ms a row |",
        "|---|---|---|---|---|---|",
    ]
    titles = {"tf-idf": "TF-IDF, logistic regression", "teacher": "teacher", **results["arms"]}
    for row in results["rows"]:
        gap = f"{100 * row['over alone']:+.1f}"
        if "interval" in row:
            low, high = row["interval"]
            gap += f" [{100 * low:+.1f}, {100 * high:+.1f}]"
        ms = ms_text(row, results["rows"])
        few = f" ({FEW:,} labels)" if row["set"].endswith("-few") else ""
        parts = [
            sets.SETS[whole(row["set"])].title + few,
            titles[row["arm"]],
            f"{100 * row['score']:.1f}",
        ]
        parts += ["" if row["arm"] == "alone" else gap, f"{row['megabytes']:.1f}", ms]
        lines.append(f"| {' | '.join(parts)} |")
    return "\n".join([*lines, "", f"{machine.as_line(results['machine'])}.", ""])


def write(options: argparse.Namespace) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**summarise(options), "machine": machine.describe()}
    return tested_cells.write_results(options.out, "static_students", results, as_markdown(results))


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    if not options.report_only:
        prepare(options)
    return tested_cells.run(plan(options), options, lambda: write(options))


if __name__ == "__main__":
    raise SystemExit(main())

"""RNN students beside their teacher, a static student and a plain rival.

SST-2 (20,000 labelled rows; the other 47,000 are the transfer set), WikiQA, LCQMC and THUCNews titles, test
rows apart from dev. Each network alone (gold labels), distilled on the labelled rows, and distilled with the
transfer set, in as many optimizer steps. On SST-2 and the titles an ELMo too, three seeds: its language model
is first trained on the texts of the set, and is frozen then, or (titles) trained with the rest. Medians over
seeds; intervals of the difference to the same network alone are paired by test row (WikiQA: question), over
the mean of the seeds. Parameters, megabytes with vocabulary and vectors, milliseconds of one row at batch 1,
rows a second in batches. Teachers and data are those of `static_students.py`, also where the same folder is
given as ``--work``. Each cell is an ordinary chatstill run; start it again at any time. The table is written
after every cell, labelled PARTIAL until all are there.
"""

import argparse
import dataclasses
import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import defaults_sets as sets
import kept_cells
import machine
import network_costs
import static_students as plain
import tested_cells

NAMES = ("sst2", "wikiqa", "lcqmc", "thucnews")
NETWORKS = {
    "static": ("StaticDistill", "static", "static"),
    "bilstm": ("LSTMTaskDistill", "bilstm", "BiLSTM"),
    "ltd": ("LTDTaskDistill", "ltd", "LTD-BERT"),
    "elmo": ("ELMOTaskDistill", "elmo", "ELMo, frozen"),
    "elmo-tuned": ("ELMOTaskDistill", "elmo", "ELMo, fine-tuned"),
}
WAYS = {
    "alone": "alone",
    "distilled": "distilled",
    "more": "distilled with the transfer set",
}
STEPS = {"sst2": 5000, "wikiqa": 1600, "lcqmc": 2200, "thucnews": 2500}  # 8 epochs of labelled rows
ELMO_SEEDS = 3
ELMO_SETS = {"elmo": ("sst2", "thucnews"), "elmo-tuned": ("thucnews",)}  # a tuned one takes long
TUNED = {"fine_tune": True, "dropout": 0.1}
BILM, BILM_FOLDER = "language model", "language_models"
BILM_EPOCHS = {"sst2": 3, "thucnews": 10}
BILM_BATCH = 8  # blocks: with 32, the 190 steps of the titles left a frozen ELMo at 24 %
PER_DOCUMENT = 20


@dataclasses.dataclass(frozen=True)
class Cell(plain.Cell):
    """A run.

    Attributes:
        start: The cell of the language model that an ELMo starts from.
    """

    start: plain.Cell | None = None

    @property
    def figures(self) -> Path:
        """What is written last."""
        return (self.folder if self.arm == BILM else self.test) / "metrics.json"

    @property
    def needs(self) -> list[tested_cells.TestedCell]:
        """The cells whose networks it reads."""
        return [*super().needs, *([self.start] if self.start else [])]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = tested_cells.parser_for(__doc__, "static_students", list(NAMES))
    parser.set_defaults(untested=(BILM_FOLDER,))
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument(
        "--chinese-start", help="masked LM of chinese_masked_lm.py; default: random weights"
    )
    return tested_cells.parsed(parser, arguments)


def plan(options: argparse.Namespace) -> Iterator[plain.Cell]:
    """All cells, each after its teacher, seed by seed."""
    for name in options.sets:
        teacher = plain.teacher_of(options, name)
        yield teacher
        bilm = _bilm(options, name)
        if _elmos(options, name):
            yield bilm
        for seed in options.seeds:
            for network in options.networks:
                if network in ELMO_SETS and (
                    network not in _elmos(options, name) or seed > ELMO_SEEDS
                ):
                    continue
                for way in WAYS:
                    if way != "more" or name in plain.WITH_MORE:
                        yield _student(options, name, network, way, seed, teacher, bilm)


def _elmos(options: argparse.Namespace, name: str) -> list[str]:
    """Those of a set."""
    return [one for one in options.networks if name in ELMO_SETS.get(one, ())]


def of_package(model_type: str) -> Any:
    """The network of the package; it loads no torch."""
    from chatstill.models.networks import network

    return network(model_type)


def _bilm(options: argparse.Namespace, name: str) -> Cell:
    """The run that trains a set's ELMo."""
    config: dict[str, Any] = {
        "model_type": "BiLM",
        "task_name": "corpus",
        "num_train_epochs": BILM_EPOCHS.get(name, 3),
        "per_gpu_train_batch_size": BILM_BATCH,
        "max_seq_length": 64,
        "bilm": {"segmenter": plain.SEGMENTERS[name]},
        "seed": 1,
    }
    digest = tested_cells.digest_of(config, options.work)
    folder = options.work / BILM_FOLDER / f"{name}-{digest}"
    config |= {"data_dir": str(texts(options, name)), "output_dir": str(folder)}
    return Cell(name, BILM, 1, "distill", config, folder)


def texts(options: argparse.Namespace, name: str) -> Path:
    """The folder of a corpus of a set's own texts."""
    folder: Path = options.work / "data" / f"{name}-texts"
    return folder


def write_texts(options: argparse.Namespace, name: str) -> None:
    """Training rows with the transfer set, and dev's texts that are not among them."""
    target = texts(options, name) / "corpus"
    if (target / "dev.txt").is_file():
        return
    target.mkdir(parents=True, exist_ok=True)
    rows = options.work / "data" / name
    files = [
        rows / "train.jsonl",
        *([plain.others(options, name)] if name in plain.WITH_MORE else []),
    ]
    train = dict.fromkeys(text for file in files for text in _texts_of(file))
    dev = [text for text in dict.fromkeys(_texts_of(rows / "dev.jsonl")) if text not in train]
    for part, found in (("train", list(train)), ("dev", dev)):
        documents = [
            "\n".join(found[at : at + PER_DOCUMENT]) for at in range(0, len(found), PER_DOCUMENT)
        ]
        (target / f"{part}.txt").write_text("\n\n".join(documents) + "\n", encoding="utf-8")


def _texts_of(file: Path) -> Iterator[str]:
    for line in file.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)["text"].strip()


def _config(options: argparse.Namespace, name: str, seed: int) -> dict[str, Any]:
    return {
        "data": sets.data_block(name, options.work / "data" / name),
        "max_seq_length": sets.SETS[name].max_seq_length,
        "per_gpu_train_batch_size": 32,
        "label_noise": [],
        "seed": seed,
        **sets.judged(name),
    }


def _student(
    options: argparse.Namespace,
    name: str,
    network: str,
    way: str,
    seed: int,
    teacher: plain.Cell,
    bilm: Cell,
) -> Cell:
    method, model_type, _ = NETWORKS[network]
    steps = STEPS[name]
    config = _config(options, name, seed) | {
        "model_type": method,
        "allow_weak_teacher": True,
        "max_steps": steps,
        "eval_steps": steps // 20,
        "teacher_architectures": {"model_name_or_path": str(teacher.folder / "teacher")},
    }
    block: dict[str, Any] = {"segmenter": plain.SEGMENTERS[name]}
    architecture: dict[str, Any] = {"model_type": model_type, "network": block}
    if network in ELMO_SETS:
        block |= TUNED if network == "elmo-tuned" else {}
        architecture["model_name_or_path"] = str(bilm.folder / "student")
    else:
        block["vectors"] = "teacher"
    config["student_architectures"] = architecture
    if (rate := of_package(model_type).rate) is not None:  # a digest tells another rule by it
        config["learning_rate"] = rate
    terms: dict[str, Any] = {}
    if way == "alone":
        weights = {"logits": 0, "soft": 0, "hard": 1, "vector": 0}
        known = {
            "static": ("soft", "hard"),
            "bilstm": ("logits", "hard"),
            "ltd": ("vector", "hard"),
            "elmo": ("soft", "hard"),
        }
        terms = {term: {"weight": weights[term]} for term in known[model_type]}
    elif network == "ltd":
        terms = {"soft": {"weight": 1.0}}
    config["distillation"] = {"terms": terms}
    if network == "ltd" and way == "alone":
        config["distillation"]["vector_epochs"] = 0
    if network == "ltd" and way != "alone":  # two phases share the steps
        config["max_steps"] = steps // 2
        config["eval_steps"] = steps // 20
    if way == "more":
        config["data"]["unlabeled"] = str(plain.others(options, name))
    start = bilm if network in ELMO_SETS else None
    return _cell(options, name, f"{network} {way}", seed, config, teacher, start)


def _cell(
    options: argparse.Namespace,
    name: str,
    arm: str,
    seed: int,
    config: dict[str, Any],
    teacher: plain.Cell,
    start: Cell | None,
) -> Cell:
    digest = tested_cells.digest_of(config, options.work)
    folder = options.work / name / f"{arm.replace(' ', '-')}-seed{seed}-{digest}"
    config |= {"output_dir": str(folder), "cache_dir": str(options.work / "cache")}
    return Cell(name, arm, seed, "distill", config, folder, teacher, start)


def summarise(options: argparse.Namespace) -> dict[str, Any]:
    """Of each set and arm: scores by seed, the interval against the network alone, sizes and times."""
    cells = list(plan(options))
    done: dict[tuple[str, str], list[plain.Cell]] = {}
    for cell in cells:
        if tested_cells.is_done(cell):
            done.setdefault((cell.task, cell.arm), []).append(cell)
    rows: list[dict[str, Any]] = []
    for name in options.sets:
        if (name, "teacher") not in done:
            continue
        rival = plain.tf_idf(options, name)
        of_rival = {"megabytes": rival["megabytes"], "seeds": [float(np.mean(rival["right"]))]}
        rows.append({"set": name, "arm": "tf-idf", **of_rival})
        for arm in ["teacher", *(f"{one} {way}" for one in options.networks for way in WAYS)]:
            mine = done.get((name, arm), [])
            if mine:
                alone = done.get((name, f"{arm.split()[0]} alone"), [])
                rows.append({"set": name, "arm": arm, **_figures(options, mine, alone)})
    missing = [cell.name for cell in cells if not tested_cells.is_done(cell)]
    start = "random"
    if options.chinese_start:
        start = "as a small masked language model (6 epochs)"
    return {"rows": rows, "missing": missing, "chinese_start": start}


def _figures(
    options: argparse.Namespace, mine: list[plain.Cell], alone: list[plain.Cell]
) -> dict[str, Any]:
    found = {
        "seeds": [score for cell in mine for score in _scores(cell)],
        **plain.costs(options, mine[0]),
    }
    by_seed = {cell.seed: cell for cell in alone}
    pairs = [(cell, by_seed[cell.seed]) for cell in mine if cell.seed in by_seed]
    if not pairs or pairs[0][0].arm == pairs[0][1].arm:
        return found
    right, base = (np.mean([plain.hits(one[side]) for one in pairs], axis=0) for side in (0, 1))
    compared = plain.compared(right, base)
    return found | {"over alone": compared["over alone"], "interval": compared["interval"]}


def _scores(cell: plain.Cell) -> list[float]:
    """Of a cell; of a teacher that was trained once more for later seeds, of each time in order."""
    tests = [before.with_name(f"{before.name}-test") for before in kept_cells.earlier(cell.folder)]
    return [float(plain.hits(cell, test).mean()) for test in (*tests, cell.test)]


def as_markdown(results: dict[str, Any]) -> str:
    """The report, PARTIAL where cells are missing."""
    lines = ["# RNN students beside their teachers", ""]
    if results["missing"]:
        first = ", ".join(results["missing"][:6])
        lines += [f"**PARTIAL: {len(results['missing'])} cells still to run, {first} first.**", ""]
    lines += [
        f"At most {plain.MOST_ROWS:,} labelled rows, accuracy on test rows apart from dev (WikiQA: MAP), "
        "median over seeds. Teachers: MiniLM (6 × 384), 3 epochs of fine-tuning (bf16; float32 where a "
        "processor has none), once more on another machine where they have two seeds; the Chinese ones start "
        f"{results['chinese_start']}, 4 layers of {plain.CHINESE_WIDTH}. All networks of a set take as many "
        "steps; word vectors start as the teacher's, the ELMo from its language model of the set's own "
        "texts. In brackets the 95 % interval of the difference to the same network alone. TF-IDF: words, in "
        "Chinese also characters, and pairs of neighbours; these and C chosen on dev. Milliseconds: the "
        "median of one row at batch 1, making ids "
        "(cutting words) + the network. Rows a second: both, in batches of "
        f"{network_costs.BATCH}. Costs are those of the first seed's network, in torch on one thread.",
        "",
        "| set | network | seeds | accuracy, MAP | of the teacher | over alone | million parameters | MB "
        "| ms a row | rows a second |",
        "|---|---|---:|---:|---:|---|---:|---:|---|---:|",
    ]
    teachers = {
        r["set"]: statistics.median(r["seeds"]) for r in results["rows"] if r["arm"] == "teacher"
    }
    for row in results["rows"]:
        network, _, way = row["arm"].partition(" ")
        title = {"tf-idf": "TF-IDF, logistic regression", "teacher": "teacher"}.get(row["arm"])
        title = title or f"{NETWORKS[network][2]}, {WAYS[way]}"
        score = statistics.median(row["seeds"])
        gap = "–"
        if "interval" in row:
            low, high = row["interval"]
            gap = f"{100 * row['over alone']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
        ms = plain.ms_text(row, results["rows"])
        lines.append(
            f"| {sets.SETS[row['set']].title} | {title} | {len(row['seeds'])} | {100 * score:.1f} "
            f"| {100 * score / teachers[row['set']]:.1f} % | {gap} | {_millions(row)} "
            f"| {row['megabytes']:.1f} | {ms} | {_rate(row)} |"
        )
    return "\n".join([*lines, "", f"{machine.as_line(results['machine'])}.", ""])


def _millions(row: dict[str, Any]) -> str:
    return f"{row['parameters'] / 1e6:.2f}" if "parameters" in row else "–"


def _rate(row: dict[str, Any]) -> str:
    return f"{row['rows a second']:,.0f}" if "rows a second" in row else "–"


def write(options: argparse.Namespace) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**summarise(options), "machine": machine.describe()}
    return tested_cells.write_results(options.out, "rnn_students", results, as_markdown(results))


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    if not options.report_only:
        plain.prepare(options)
        for name in options.sets:
            if _elmos(options, name):
                write_texts(options, name)
    return tested_cells.run(plan(options), options, lambda: write(options))


if __name__ == "__main__":
    raise SystemExit(main())

"""Time of a query over 100, 1,000 and 10,000 replies: a cross-encoder beside indexes of DC-BERT and others.

MiniLM (6 layers, 384 wide) with a new classifier, replies and questions of WikiQA (and sentences of
QNLI), one thread. Networks of words (static, BiLSTM, LTD-BERT) are as wide as they are where the
configuration says nothing, with the words of these texts. Weights do not change the time, so nothing is
trained. Each cell is a process: time of a query (median, 95th percentile, the encoding of the query
included), memory, bytes of the index. Cells are kept in --work and not run again. Run it while nothing else
runs.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import machine
from minilm import model_folder

RESULTS = Path(__file__).parent / "results"
SIZES = (100, 1_000, 10_000)
QUERY, REPLY, ROW = 32, 93, 128
SECONDS = 40  # of queries, two at least, a hundred at most


class Arm(NamedTuple):
    """A way of ranking.

    Attributes:
        title: In the table.
        network: Knobs of the network; None: the cross-encoder.
        form: Of the index.
        sorted: Whether the cross-encoder's batches are of like lengths.
        words: The network of words that it is instead.
    """

    title: str
    network: dict[str, Any] | None = None
    form: dict[str, Any] | None = None
    sorted: bool = False
    words: str = ""

    @property
    def is_cross_encoder(self) -> bool:
        """Whether it reads each reply with the query."""
        return self.form is None


K1: dict[str, Any] = {"kind": "transformer"}
ARMS = {
    "cross": Arm("cross-encoder"),
    "cross-sorted": Arm("cross-encoder, batches of like lengths", sorted=True),
    "states": Arm("K = 1, states", K1, {"hold": "states"}),
    "states-2": Arm("K = 2, states", {"kind": "transformer", "layers": 2}, {"hold": "states"}),
    "one-way-2": Arm(
        "K = 2, one way, states",
        {"kind": "transformer", "layers": 2, "attends": "one_way"},
        {"hold": "states"},
    ),
    "keys": Arm("K = 1, keys and values", K1, {"hold": "keys"}),
    "keys-int8": Arm("K = 1, keys and values, int8", K1, {"hold": "keys", "dtype": "int8"}),
    "keys-pool": Arm("K = 1, keys and values, pool 2", K1, {"hold": "keys", "pool": 2}),
    "keys-one-way": Arm(
        "K = 1, one way, keys and values",
        {"kind": "transformer", "attends": "one_way"},
        {"hold": "keys"},
    ),
    "small": Arm(
        "K = 1, width 128, pool 2, int8",
        {"kind": "transformer", "width": 128},
        {"hold": "states", "dtype": "int8", "pool": 2},
    ),
    "linear": Arm("linear", {"kind": "linear"}, {"hold": "vectors"}),
    "lstm": Arm("lstm", {"kind": "lstm"}, {"hold": "vectors"}),
    "ltd": Arm("LTD-BERT, vectors", form={"hold": "vectors"}, words="ltd"),
    "bilstm": Arm("BiLSTM, vectors", form={"hold": "vectors"}, words="bilstm"),
    "static": Arm("static student, vectors", form={"hold": "vectors"}, words="static"),
}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, default=Path("dc_bert_latency_work"))
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--cell", choices=list(ARMS), help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, choices=SIZES, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    options.work, options.data = options.work.resolve(), options.data.resolve()
    return options


def texts(data: Path) -> tuple[list[str], list[str]]:
    """Different questions, and 10,000 different replies: WikiQA's, then sentences of QNLI."""
    rows = [
        line.split("\t")
        for name in ("train", "dev")
        for line in (data / "wikiqa/chat" / f"{name}.data.txt").read_text("utf-8").splitlines()
    ]
    sentences = (data / "glue/QNLI/dev.tsv").read_text("utf-8").split("\n")[1:-1]
    replies = [*(row[1] for row in rows), *(line.split("\t")[2] for line in sentences)]
    different = list(dict.fromkeys(reply.strip() for reply in replies))
    return list(dict.fromkeys(row[0] for row in rows)), different[: SIZES[-1]]


def network(arm: Arm, folder: Path) -> None:
    """Writes the arm's network, made of MiniLM as a run makes it."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from chatstill.models.networks.dc_bert.build import Interaction, build_dc_bert
    from chatstill.models.student_spec import RowReading, StudentSpec

    torch.manual_seed(1)
    teacher = AutoModelForSequenceClassification.from_pretrained(model_folder(), num_labels=2)
    tokenizer = AutoTokenizer.from_pretrained(model_folder())
    model: Any = teacher
    if arm.network is not None:
        knobs = {
            "layers": 1,
            "copy_from": -1,
            "shared": False,
            "attends": "both_ways",
            "width": None,
        }
        reading = RowReading(tokenizer, ROW, QUERY, REPLY, "right", lambda: True)
        spec = StudentSpec(
            6, None, load=lambda: None, copy_from=None, copy_layers=None, reading=reading
        )
        model, _ = build_dc_bert(teacher, Interaction(**{**knobs, **arm.network}), spec)
    model.config.id2label = {0: "0", 1: "1"}
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def network_of_words(kind: str, folder: Path, used: list[str]) -> None:
    """Writes a network of pairs of texts, its words those that these hold at least twice."""
    from chatstill.models.custom import register_networks
    from chatstill.models.load import new_classifier
    from chatstill.models.networks import network as network_of
    from chatstill.models.networks.base import Start
    from chatstill.text.segment import load_segmenter
    from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer

    register_networks()
    cut = load_segmenter("words").cut
    counted = Counter(word for text in used for word in cut(text.lower()))
    words = [word for word, count in counted.most_common() if count > 1 and word not in SPECIAL]
    tokenizer = WordTokenizer(words=[*SPECIAL, *words], segmenter="words")
    ours = network_of(kind)
    block = ours.Block()
    model = new_classifier(ours.build_config(block, tokenizer, pairs=True), seed=1)
    if kind == "ltd":  # the weights of words; like ones, which change no time
        even = np.ones(len(SPECIAL) + len(words), np.float32)
        ours.fill(model, block, Start(tokenizer, None, None, None, 1, rarity=even.copy))
    model.config.id2label = {0: "0", 1: "1"}
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def cell(name: str, size: int, options: argparse.Namespace) -> dict[str, Any]:
    """Figures of one arm over so many replies, in this process."""
    import torch

    arm = ARMS[name]
    folder = options.work / name
    queries, replies = texts(options.data)
    if not (folder / "config.json").is_file():
        if arm.words:
            network_of_words(arm.words, folder, [*queries, *replies])
        else:
            network(arm, folder)
    if arm.is_cross_encoder:
        torch.set_num_threads(1)
        ask, size_on_disk = cross_encoder(folder, replies[:size], arm.sorted), 0
    else:  # built with all cores, which changes nothing of a query
        ask, size_on_disk = stored(arm, folder, options.work / f"{name}-{size}", replies[:size])
        torch.set_num_threads(1)
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < 2 or (len(times) < 101 and time.perf_counter() - begun < SECONDS):
        start = time.perf_counter()
        ask(queries[len(times) % len(queries)])
        times.append(time.perf_counter() - start)
    return {
        "median": float(np.median(times[1:])),  # the first one warms up
        "p95": float(np.quantile(times[1:], 0.95)),
        "queries": len(times) - 1,
        "index_bytes": size_on_disk,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def cross_encoder(folder: Path, replies: list[str], of_like_lengths: bool) -> Any:
    """Ranking by passes over both texts."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)

    @torch.inference_mode()
    def ask(query: str) -> list[int]:
        order = (
            sorted(range(len(replies)), key=lambda n: len(replies[n])) if of_like_lengths else None
        )
        scores = np.empty(len(replies), np.float32)
        places = np.asarray(order if order is not None else range(len(replies)))
        for start in range(0, len(replies), 32):
            some = places[start : start + 32]
            rows = tokenizer(
                [query] * len(some),
                [replies[n] for n in some],
                truncation=True,
                max_length=ROW,
                padding=True,
                return_tensors="pt",
            )
            logits = model(**rows).logits
            scores[some] = (logits[:, 1] - logits[:, 0]).numpy()
        return np.argsort(-scores, kind="stable")[:10].tolist()

    return ask


def stored(arm: Arm, folder: Path, where: Path, replies: list[str]) -> tuple[Any, int]:
    """Ranking out of an index."""
    from contextlib import nullcontext

    from chatstill import Ranker
    from chatstill.deploy import change
    from chatstill.deploy.network import open_network
    from chatstill.deploy.reply_file import Reply, ReplyFile

    served = open_network(folder, device="cpu")
    desk = change.Desk(
        lambda line: None, lambda problem: None, lambda total: nullcontext(lambda n: None)
    )
    file = ReplyFile([Reply(None, reply) for reply in replies], False, [])
    form = change.Form(**(arm.form or {}))
    change.build(served, file, where, form, desk, fresh=True)
    ranker = Ranker(served, where)
    size = sum(path.stat().st_size for path in where.iterdir())
    return (lambda query: ranker.rank(query, 10)), size


def run(options: argparse.Namespace) -> None:
    """Runs the cells that are not there, small ones first."""
    for size in SIZES:
        for name in options.arms:
            path = options.work / f"{name}-{size}.json"
            if path.is_file():
                continue
            words = ["--cell", name, "--size", str(size), "--work", str(options.work)]
            done = subprocess.run(
                [sys.executable, __file__, *words, "--data", str(options.data)],
                capture_output=True,
                text=True,
                env={**os.environ, "TRANSFORMERS_VERBOSITY": "error"},
            )
            if done.returncode:
                raise SystemExit(f"{name}: {done.stderr[-2000:]}")
            figures = json.loads(done.stdout.splitlines()[-1])
            cell = json.dumps({**figures, "machine": machine.describe()})
            path.write_text(cell + "\n", encoding="utf-8")
            print(f"{name} {size}: {figures}", flush=True)
            report(options)


Found = dict[str, dict[int, dict[str, Any]]]


def table(found: Found) -> list[str]:
    """Rows of Markdown: times in milliseconds, and how many times faster than the quicker cross-encoder."""
    heads = [f"{size:,} replies" for size in SIZES]
    last = f"{SIZES[-1]:,}"
    lines = [f"| | {' | '.join(heads)} | index of {last} | memory |", "|---" * 6 + "|"]
    rivals = [found[name] for name, arm in ARMS.items() if arm.is_cross_encoder and name in found]
    for name, arm in ARMS.items():
        of_arm = found.get(name, {})
        cells = []
        for size in SIZES:
            if size not in of_arm:
                cells.append("–")
                continue
            one = of_arm[size]
            best = [rival[size]["median"] for rival in rivals if size in rival]
            times = f", {min(best) / one['median']:,.1f}×" if best else ""
            p95 = f" ({1e3 * one['p95']:,.1f})" if one["queries"] >= 20 else ""
            cells.append(f"{1e3 * one['median']:,.1f}{p95}{times}")
        largest = of_arm.get(SIZES[-1])
        bytes_of = (
            f"{largest['index_bytes'] / 1e6:,.0f} MB"
            if largest and not arm.is_cross_encoder
            else "–"
        )
        memory = f"{largest['peak_bytes'] / 1e6:,.0f} MB" if largest else "–"
        if of_arm:
            lines.append(f"| {arm.title} | {' | '.join(cells)} | {bytes_of} | {memory} |")
    return lines


def _machines(found: Found) -> list[str]:
    """What the cells were measured on; several lines where they were measured at several times."""
    every = [cell["machine"] for of_arm in found.values() for cell in of_arm.values()]
    return list(dict.fromkeys(map(machine.as_line, every)))


def report(options: argparse.Namespace) -> None:
    """Writes the table of the cells that are there."""
    found: Found = {}
    for name in ARMS:
        for size in SIZES:
            path = options.work / f"{name}-{size}.json"
            if path.is_file():
                found.setdefault(name, {})[size] = json.loads(path.read_text("utf-8"))
    whole = all(size in found.get(name, {}) for name in ARMS for size in SIZES)
    lines = [
        "# Time of a query: a cross-encoder, DC-BERT's index and vectors of networks of words",
        "",
        *([] if whole else ["**PARTIAL: cells are missing.**", ""]),
        "Milliseconds of one query on one thread, its encoding included: median, in brackets the 95th "
        "percentile (of 20 queries at least), × of the quicker cross-encoder. MiniLM (6 × 384), queries of "
        f"{QUERY} and replies of {REPLY} tokens at most. Networks of words have "
        "the words of these texts; none of the networks is trained. Memory: peak of the process, building "
        "included.",
        "",
        *table(found),
        "",
        *(f"{line}." for line in _machines(found)),
    ]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "dc_bert_latency.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    facts = {"cells": found}
    (options.out / "dc_bert_latency.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    chosen = parse()
    if chosen.cell:
        print(json.dumps(cell(chosen.cell, chosen.size, chosen)))
    else:
        if not chosen.report_only:
            run(chosen)
        report(chosen)
        print((chosen.out / "dc_bert_latency.md").read_text("utf-8"))

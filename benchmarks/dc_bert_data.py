"""The sets of `dc_bert_ranking.py`: chat files with a group for each question, and where a teacher starts.

WikiQA has no test file here: its dev file and further questions of the training file are the test part,
other questions of the training file the dev part. KdConv's dev file (one reply of ten is the next utterance)
is cut into dev and test by questions; its training file has one wrong reply a question, and five more are
drawn from dialogues nearby, which are of the same kind. LCQMC has pairs: a question's paraphrase stands among
second texts of other pairs that share words with it (drawn at random they were told apart by words alone, and
TF-IDF ranks these well too). No pair of dev or test stands in train. A line is
``query TAB reply TAB label TAB group``.
"""

import argparse
import json
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from minilm import model_folder


class Set(NamedTuple):
    """A set.

    Attributes:
        title: In the tables.
        max_seq_length: Tokens of a row; texts that are longer are cut.
        max_query_length: Tokens of a query, which DC-BERT fills up to so many.
        chinese: Whether its teacher starts as a small Chinese masked language model.
        epochs: Of the teacher, and of all that goes on from it.
        rates: Learning rates that the first seed tries for the teacher.
        rates_on: And for what goes on from it.
        seeds: Most seeds.
    """

    title: str
    max_seq_length: int
    max_query_length: int
    chinese: bool
    epochs: tuple[int, int]
    rates: tuple[float, ...]
    rates_on: tuple[float, ...]
    seeds: int = 1


SETS = {
    "wikiqa": Set("WikiQA", 128, 24, False, (3, 3), (5e-5, 1e-4, 2e-5), (5e-5, 1e-4), seeds=3),
    "kdconv": Set("KdConv", 96, 40, True, (3, 1), (1e-4,), (1e-4,)),
    "lcqmc": Set("LCQMC", 64, 24, True, (4, 3), (3e-4, 1e-4), (3e-4, 1e-4)),
}
PARTS = ("train", "dev", "test")
CANDIDATES = 10  # of a question of LCQMC
DRAWN = 5  # further wrong replies of a training question of KdConv
NEARBY = 500  # questions before it and after it whose replies they are drawn from
WIKIQA_DEV, WIKIQA_MORE_TEST = 100, 124
OTHER_DEV, OTHER_TEST = 200, 500

Row = tuple[str, str, str]  # query, reply, label
Question = list[Row]


def build(name: str, source: Path, target: Path) -> dict[str, dict[str, int]]:
    """Writes the three files of a set once; gives the questions and rows of each."""
    done = target / "counts.json"
    if done.is_file():
        return dict(json.loads(done.read_text(encoding="utf-8")))
    parts = PARTS_OF[name](source, random.Random(f"dc_bert ranking {name}"))
    held = {_key(row) for part in ("dev", "test") for question in parts[part] for row in question}
    parts["train"] = [
        kept
        for question in parts["train"]
        if (kept := [r for r in question if _key(r) not in held])
    ]
    target.mkdir(parents=True, exist_ok=True)
    counts = {}
    for part in PARTS:
        lines = [
            "\t".join((*row, f"{part}{number}")) + "\n"
            for number, question in enumerate(parts[part])
            for row in question
        ]
        (target / f"{part}.data.txt").write_text("".join(lines), encoding="utf-8")
        counts[part] = {"questions": len(parts[part]), "rows": len(lines)}
    done.write_text(json.dumps(counts) + "\n", encoding="utf-8")
    return counts


def read(path: Path) -> list[Row]:
    """``query TAB reply TAB label`` of a source file."""
    if not path.is_file():
        raise SystemExit(f"{path} is missing: name the folder of the sets with --data")
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [(query, reply, label) for query, reply, label, *_ in rows]


def questions_of(rows: Iterable[Row]) -> list[Question]:
    """Neighbouring rows of one query are a question."""
    found: list[Question] = []
    for row in rows:
        if not found or found[-1][0][0] != row[0]:
            found.append([])
        found[-1].append(row)
    return found


def _wikiqa(source: Path, draw: random.Random) -> dict[str, list[Question]]:
    train = questions_of(read(source / "wikiqa" / "chat" / "train.data.txt"))
    test = questions_of(read(source / "wikiqa" / "chat" / "dev.data.txt"))
    draw.shuffle(train)
    more, rest = (
        train[WIKIQA_DEV : WIKIQA_DEV + WIKIQA_MORE_TEST],
        train[WIKIQA_DEV + WIKIQA_MORE_TEST :],
    )
    return {"train": rest, "dev": train[:WIKIQA_DEV], "test": [*test, *more]}


def _kdconv(source: Path, draw: random.Random) -> dict[str, list[Question]]:
    """Drawn replies are those of dialogues nearby: films stand beside films, music beside music."""
    train = questions_of(read(source / "kdconv" / "chat" / "train.data.txt"))
    replies = [reply for question in train for _, reply, label in question if label == "1"]
    for place, question in enumerate(train):
        near = replies[max(0, place - NEARBY) : place + NEARBY]
        there = {text for row in question for text in row[:2]}
        others = sorted(set(near) - there)
        drawn = draw.sample(others, min(DRAWN, len(others)))
        question += [(question[0][0], reply, "0") for reply in drawn]
    held = questions_of(read(source / "kdconv" / "chat" / "dev.data.txt"))
    draw.shuffle(held)
    return {"train": train, **_dev_and_test(held)}


def _lcqmc(source: Path, draw: random.Random) -> dict[str, list[Question]]:
    """Candidates that share words with the query: by TF-IDF the nearest second texts of other pairs.

    Training pairs are all of that kind; beside them stand texts of other pairs, so that a network meets
    unrelated ones too.
    """
    pairs = read(source / "lcqmc" / "dev.txt")
    fitting: dict[str, set[str]] = {}
    labelled: dict[str, set[str]] = {}
    for query, reply, label in pairs:
        labelled.setdefault(query, set()).add(reply)
        if label == "1":
            fitting.setdefault(query, set()).add(reply)
    near = _nearest(list(fitting), sorted({reply for _, reply, _ in pairs}))
    held = []
    for query, right in fitting.items():
        others = [*sorted(labelled[query] - right), *(r for r in near[query] if r not in right)]
        wrong = [reply for reply in dict.fromkeys(others) if reply != query]
        candidates = [(query, reply, "1") for reply in sorted(right)]
        candidates += [(query, reply, "0") for reply in wrong[: CANDIDATES - len(right)]]
        draw.shuffle(candidates)
        held.append(candidates)
    draw.shuffle(held)
    rows = read(source / "lcqmc" / "train.txt")
    train = []
    for query, reply, label in rows:
        unrelated = [(query, draw.choice(rows)[1], "0")] if label == "1" else []
        train.append([(query, reply, label), *(row for row in unrelated if row[1] != reply)])
    return {"train": train, **_dev_and_test(held)}


def _nearest(queries: list[str], texts: list[str]) -> dict[str, list[str]]:
    """Of each query twice as many texts as it has candidates, the nearest first: TF-IDF of pairs of signs."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 2)).fit(texts)
    known = vectors.transform(texts)
    found = {}
    for query in queries:
        scores = (vectors.transform([query]) @ known.T).toarray()[0]
        order = np.argsort(-scores, kind="stable")[: 2 * CANDIDATES]
        found[query] = [texts[place] for place in order]
    return found


def _dev_and_test(held: list[Question]) -> dict[str, list[Question]]:
    return {"dev": held[:OTHER_DEV], "test": held[OTHER_DEV : OTHER_DEV + OTHER_TEST]}


PARTS_OF = {"wikiqa": _wikiqa, "kdconv": _kdconv, "lcqmc": _lcqmc}


def _key(row: Row) -> tuple[str, ...]:
    return tuple("".join(text.split()).lower() for text in row[:2])


def start_of(name: str, work: Path) -> Path:
    """The folder of the network that a set's teacher starts from."""
    return work / "chinese_start" if SETS[name].chinese else model_folder()


def prepare(names: Iterable[str], options: argparse.Namespace) -> None:
    """The files, and the Chinese network that is named, beside them."""
    for name in names:
        build(name, options.data, options.work / "data" / name)
        if SETS[name].chinese and options.chinese_start:
            target = start_of(name, options.work)
            shutil.copytree(options.chinese_start, target, dirs_exist_ok=True)

"""Chat data for the demo, from the `chatterbot-corpus` package: the reply given, or another's.

Consecutive turns of a conversation are a positive pair (query, reply); negatives are replies of
other conversations. Train has one negative for each positive, dev nine. Conversations that share
any turn (compared without case and punctuation) stay together in the split, and negatives
come from the conversations of the same split: no text of dev occurs in train.
"""

import argparse
import importlib.util
import itertools
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chatstill.errors import UserError

DEV_SHARE = 0.2
TRAIN_NEGATIVES = 1
DEV_NEGATIVES = 9

Conversation = tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One line of a data file; rows of one group follow each other, the positive first."""

    query: str
    reply: str
    label: int
    group: str

    def line(self) -> str:
        """The row in the chat task's format: query, reply, label, group."""
        return f"{self.query}\t{self.reply}\t{self.label}\t{self.group}\n"


def build(
    folder: Path, language: str = "english", max_train_rows: int = 2500, seed: int = 0
) -> dict[str, int]:
    """Write ``train.data.txt`` and ``dev.data.txt`` into ``folder``; the same for the same seed.

    Returns:
        Counts: what was read, what was left out, and rows, groups and queries of each split.

    Raises:
        UserError: The package or the language is missing, or too little is left to split.
    """
    conversations, counts = read(corpus_folder(language))
    parts = linked(conversations)
    train, dev = split(parts, random.Random(f"split {seed}"))
    negatives_of = {"train": TRAIN_NEGATIVES, "dev": DEV_NEGATIVES}
    folder.mkdir(parents=True, exist_ok=True)
    for name, chosen in (("train", train), ("dev", dev)):
        rng = random.Random(f"{name} {seed}")
        pairs = query_reply_pairs(chosen, rng, once_per_query=name == "dev")
        if name == "train":
            pairs = pairs[: max_train_rows // (1 + TRAIN_NEGATIVES)]
        rows = with_negatives(pairs, chosen, negatives_of[name], rng, name)
        text = "".join(row.line() for row in rows)
        (folder / f"{name}.data.txt").write_text(text, encoding="utf-8", newline="\n")
        counts[f"{name}_rows"] = len(rows)
        counts[f"{name}_groups"] = len(pairs)
        counts[f"{name}_queries"] = len({key(query) for query, _, _ in pairs})
    return counts


def corpus_folder(language: str) -> Path:
    """The folder of a language inside the installed package, found without importing it."""
    spec = importlib.util.find_spec("chatterbot_corpus")
    if spec is None or spec.origin is None:
        raise UserError('The demo\'s data are missing: pip install -c constraints.txt -e ".[demo]"')
    data = Path(spec.origin).parent / "data"
    if not (data / language).is_dir():
        known = ", ".join(sorted(path.name for path in data.iterdir() if path.is_dir()))
        raise UserError(f"chatterbot-corpus has no language {language!r}; it has {known}")
    return data / language


def read(folder: Path) -> tuple[list[Conversation], dict[str, int]]:
    """Distinct conversations of all files, in order, and what was left out.

    Scalars are taken as they are written: YAML would turn the reply ``Yes`` into a truth value.
    """
    import yaml

    seen: dict[Conversation, None] = {}
    counts = Counter(conversations=0, malformed=0, repeated=0)
    for path in sorted(folder.glob("*.yml")):
        with path.open(encoding="utf-8") as file:
            content = yaml.load(file, Loader=yaml.BaseLoader)
        for entry in content.get("conversations", []):
            counts["conversations"] += 1
            turns = tuple(filter(None, map(clean, entry))) if isinstance(entry, list) else ()
            if len(turns) < 2:
                counts["malformed"] += 1
            elif turns in seen:
                counts["repeated"] += 1
            else:
                seen[turns] = None
    return list(seen), dict(counts)


def clean(turn: object) -> str:
    """One line without TABs; empty for what is not text."""
    return " ".join(turn.split()) if isinstance(turn, str) else ""


def key(text: str) -> str:
    """What counts as the same text: without case and punctuation."""
    return re.sub(r"\W+", " ", text.casefold()).strip() or text


def linked(conversations: Iterable[Conversation]) -> list[list[Conversation]]:
    """Conversations in sets that share no turn with each other, in order of first appearance."""
    parts: dict[int, list[Conversation]] = {}
    owner: dict[str, int] = {}
    for number, turns in enumerate(conversations):
        texts = {key(turn) for turn in turns}
        merged = [turns]
        for other in sorted({owner[text] for text in texts if text in owner}, reverse=True):
            merged = parts.pop(other) + merged
        parts[number] = merged
        for conversation in merged:
            owner.update((key(turn), number) for turn in conversation)
    return list(parts.values())


def split(
    parts: list[list[Conversation]], rng: random.Random
) -> tuple[list[list[Conversation]], list[list[Conversation]]]:
    """Train and dev: ``DEV_SHARE`` of the queries go to dev; large sets stay in train."""
    sizes = [len({key(query) for turns in part for query in turns[:-1]}) for part in parts]
    wanted = DEV_SHARE * sum(sizes)
    order = list(range(len(parts)))
    rng.shuffle(order)
    dev: set[int] = set()
    filled = 0
    for index in order:
        if sizes[index] <= max(1, wanted / 20) and filled + sizes[index] <= wanted:
            dev.add(index)
            filled += sizes[index]
    if len(dev) <= DEV_NEGATIVES:
        raise UserError(f"too few conversations to split: {len(dev)} for dev")
    train = [part for index, part in enumerate(parts) if index not in dev]
    return train, [parts[index] for index in sorted(dev)]


def query_reply_pairs(
    parts: list[list[Conversation]], rng: random.Random, *, once_per_query: bool
) -> list[tuple[str, str, int]]:
    """Distinct (query, reply, index of their part), shuffled; optionally one of each query."""
    found: dict[tuple[str, str], tuple[str, str, int]] = {}
    for index, part in enumerate(parts):
        for turns in part:
            for query, reply in itertools.pairwise(turns):
                if key(query) != key(reply):
                    found.setdefault((key(query), key(reply)), (query, reply, index))
    pairs = list(found.values())
    rng.shuffle(pairs)
    if once_per_query:
        pairs = list({key(pair[0]): pair for pair in reversed(pairs)}.values())
    return pairs


def with_negatives(
    pairs: list[tuple[str, str, int]],
    parts: list[list[Conversation]],
    num_negatives: int,
    rng: random.Random,
    name: str,
) -> list[Row]:
    """Each pair followed by its negatives: different texts, none from the pair's own conversations.

    Parts share no turn, so a reply of another part is never a true reply to the query.
    """
    replies: dict[int, dict[str, str]] = defaultdict(dict)
    for index, part in enumerate(parts):
        for turns in part:
            for reply in turns[1:]:
                replies[index].setdefault(key(reply), reply)
    pool = [(index, reply) for index, own in sorted(replies.items()) for reply in own.values()]
    rows = []
    for number, (query, reply, index) in enumerate(pairs):
        group = f"{name}-{number}"
        rows.append(Row(query, reply, 1, group))
        chosen: dict[str, None] = {}
        while len(chosen) < num_negatives:
            other, text = rng.choice(pool)
            if other != index:
                chosen.setdefault(text)
        rows += [Row(query, text, 0, group) for text in chosen]
    return rows


def main() -> None:
    """Write the files and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--language", default="english")
    parser.add_argument("--max-train-rows", type=int, default=2500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts = build(arguments.folder, arguments.language, arguments.max_train_rows, arguments.seed)
    print(json.dumps(counts, indent=2))


if __name__ == "__main__":
    main()

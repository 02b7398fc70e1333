"""The demo's data: nothing leaks, negatives are none, the same files for the same seed."""

import itertools
import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from tests.draws import reseeded

import chat_corpus
from chat_corpus import key


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    pytest.importorskip("chatterbot_corpus")
    folder = tmp_path_factory.mktemp("chat")
    return folder, chat_corpus.build(folder)


def rows(folder: Path, name: str) -> list[list[str]]:
    text = (folder / f"{name}.data.txt").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.removesuffix("\n").split("\n")]


def groups(folder: Path, name: str) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = defaultdict(list)
    for row in rows(folder, name):
        found[row[3]].append(row)
    return found


def test_counts_are_those_of_the_files(built):
    folder, counts = built
    for name in ("train", "dev"):
        assert len(rows(folder, name)) == counts[f"{name}_rows"]
        assert len(groups(folder, name)) == counts[f"{name}_groups"]
    assert 1500 <= counts["train_rows"] <= 2500
    assert counts["dev_groups"] >= 100
    assert counts["malformed"] == 1  # an entry of trivia.yml that is a string, not a list


def test_every_group_has_one_positive_first_and_distinct_negatives(built):
    folder, _ = built
    for name, num_negatives in (("train", 1), ("dev", 9)):
        for group in groups(folder, name).values():
            assert [row[2] for row in group] == ["1"] + ["0"] * num_negatives
            assert len({row[0] for row in group}) == 1
            assert len({key(row[1]) for row in group}) == num_negatives + 1


def test_rows_of_a_group_are_neighbours_and_fields_are_clean(built):
    folder, _ = built
    for name in ("train", "dev"):
        found = rows(folder, name)
        assert all(len(row) == 4 and all(row) for row in found)
        assert all(field == " ".join(field.split()) for row in found for field in row)
        changes = sum(a[3] != b[3] for a, b in itertools.pairwise(found))
        assert changes + 1 == len({row[3] for row in found})


def test_no_text_of_dev_occurs_in_train(built):
    folder, _ = built
    texts = {
        name: {key(text) for row in rows(folder, name) for text in row[:2]}
        for name in ("train", "dev")
    }
    assert not texts["train"] & texts["dev"]


def test_a_negative_is_never_a_true_reply(built):
    folder, _ = built
    conversations, _ = chat_corpus.read(chat_corpus.corpus_folder("english"))
    true = {
        (key(query), key(reply))
        for turns in conversations
        for query, reply in itertools.pairwise(turns)
    }
    for name in ("train", "dev"):
        for query, reply, label, _group in rows(folder, name):
            assert ((key(query), key(reply)) in true) == (label == "1")


def test_dev_asks_each_query_once(built):
    folder, counts = built
    queries = Counter(key(group[0][0]) for group in groups(folder, "dev").values())
    assert set(queries.values()) == {1} and len(queries) == counts["dev_queries"]


def test_same_seed_same_bytes_another_seed_others(built, tmp_path):
    folder, _ = built
    chat_corpus.build(tmp_path / "again")
    chat_corpus.build(tmp_path / "other", seed=1)
    for name in ("train.data.txt", "dev.data.txt"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
        assert (tmp_path / "other" / name).read_bytes() != (folder / name).read_bytes()


def test_limit_of_training_rows(built, tmp_path):
    assert chat_corpus.build(tmp_path, max_train_rows=301)["train_rows"] == 300


def test_linked_joins_through_any_shared_turn():
    talks = [("a", "b"), ("c", "d"), ("e", "f"), ("B!", "c"), ("x", "y"), ("y", "z")]
    parts = chat_corpus.linked(talks)
    assert sorted(map(sorted, parts)) == [
        [("B!", "c"), ("a", "b"), ("c", "d")],
        [("e", "f")],
        [("x", "y"), ("y", "z")],
    ]


def test_read_takes_scalars_as_written_and_counts_what_it_leaves_out(tmp_path):
    (tmp_path / "a.yml").write_text(
        "categories: [x]\nconversations:\n- - Yes\n  - 42\n  - 'tab\there'\n"
        "- - alone\n- a sentence\n- - Yes\n  - 42\n  - \"tab here\"\n- - '  '\n  - blank\n",
        encoding="utf-8",
    )
    conversations, counts = chat_corpus.read(tmp_path)
    assert conversations == [("Yes", "42", "tab here")]
    assert counts == {"conversations": 5, "malformed": 3, "repeated": 1}


def test_split_keeps_large_sets_in_train():
    parts = [[(f"q{i}", f"r{i}")] for i in range(200)] + [[(f"b{i}", "same") for i in range(30)]]
    train, dev = chat_corpus.split(parts, random.Random(reseeded(0)))
    assert len(dev) == 46 and all(len(part) == 1 for part in dev)
    assert parts[-1] in train


def test_unknown_language_names_the_known():
    pytest.importorskip("chatterbot_corpus")
    with pytest.raises(chat_corpus.UserError, match=r"klingon.*english"):
        chat_corpus.corpus_folder("klingon")

"""A corpus in several files: read one after another, held out at the end, gone on with at any place."""

import numpy as np
import pytest
from tests.draws import reseeded
from tests.found import codes

from chatstill.data.blocks import blocks_of
from chatstill.errors import UserError
from chatstill.tasks import reading
from chatstill.tasks.corpus import Stretch
from chatstill.tasks.corpus_survey import Files, survey_corpus
from chatstill.tasks.tabular_keys import DataKeys
from chatstill.tasks.texts import FilesTask, plain_text


class Words:
    """A word's id is its length; four tokens a block."""

    padding_side = "right"
    around = ([], [])
    joint = ""

    def ids_of(self, texts):
        return [[len(word) for word in text.split()] for text in texts]


def documents_of(text):
    """Lists of lines between blank ones."""
    found = [[]]
    for line in text.split("\n"):
        if line.strip():
            found[-1].append(line.strip())
        elif found[-1]:
            found.append([])
    return [document for document in found if document]


def made(folder, number, seed=0):
    """Files of a few documents; some end without a line end, some with blank lines."""
    draws = np.random.default_rng(reseeded(seed))
    paths = []
    for place in range(number):
        documents = [
            "\n".join(
                " ".join("a" * int(n) for n in draws.integers(1, 9, 5))
                for _ in range(draws.integers(1, 4))
            )
            for _ in range(draws.integers(1, 6))
        ]
        path = folder / f"part-{place}.txt"
        text = "\n\n".join(documents) + ("", "\n", "\n\n\n")[place % 3]
        path.write_bytes(text.encode("utf-8"))
        paths.append(path)
    return paths


def lines_of(part, at=None):
    return [line for _, some in part.read(part.start if at is None else at) for line in some]


@pytest.mark.parametrize("block", [5, 64, 1 << 20])
def test_a_document_ends_with_its_file(tmp_path, monkeypatch, block):
    monkeypatch.setattr(reading, "BLOCK", block)
    paths = made(tmp_path, 5)
    texts = [path.read_text("utf-8") for path in paths]
    found = survey_corpus(paths, paths[:1]).train
    wanted = [document for text in texts for document in documents_of(text)]
    assert documents_of("\n".join(lines_of(found))) == wanted
    assert found.size == sum(path.stat().st_size for path in paths)
    blocks = [block for _, some in blocks_of(found, Words(), 4) for block in some]
    assert sum(map(len, blocks)) == sum(len(text.split()) for text in texts)


@pytest.mark.parametrize("block", [5, 64])
def test_reading_goes_on_at_every_place(tmp_path, monkeypatch, block):
    monkeypatch.setattr(reading, "BLOCK", block)
    found = Files([Stretch(path, 0, path.stat().st_size) for path in made(tmp_path, 4)])
    lots = list(found.read(found.start))
    for number, (at, _) in enumerate(lots):
        before = [line for _, some in lots[: number + 1] for line in some]
        whole = "\n".join(before + lines_of(found, at))
        assert documents_of(whole) == documents_of("\n".join(lines_of(found)))


@pytest.mark.parametrize("seed", range(6))
def test_the_last_hundredth_of_all_documents_is_held_out(tmp_path, seed):
    paths = made(tmp_path, 3, seed)
    paths[1].write_text("\n\n".join(f"x{number}" for number in range(40 * seed)) or "x", "utf-8")
    wanted = [d for path in paths for d in documents_of(path.read_text("utf-8"))]
    kept = len(wanted) - max(1, len(wanted) // 100)
    corpus = survey_corpus(paths, paths)
    assert documents_of("\n".join(lines_of(corpus.train))) == wanted[:kept]
    assert documents_of("\n".join(lines_of(corpus.dev))) == wanted[kept:]
    assert corpus.documents == {"train": kept, "dev": len(wanted) - kept}
    assert corpus.lines == {
        "train": sum(map(len, wanted[:kept])),
        "dev": sum(map(len, wanted[kept:])),
    }


def test_what_is_held_out_can_reach_over_several_files(tmp_path):
    paths = [tmp_path / f"{number}.txt" for number in range(4)]
    for path, count in zip(paths, (150, 1, 1, 48), strict=True):
        path.write_text("\n\n".join(f"{path.stem} {n}" for n in range(count)), encoding="utf-8")
    paths[3].write_text("the last", encoding="utf-8")  # 153 documents: one is held out
    corpus = survey_corpus(paths, paths)
    assert lines_of(corpus.dev) == ["the last"]
    paths[0].write_text("\n\n".join(f"0 {n}" for n in range(400)), encoding="utf-8")
    corpus = survey_corpus(paths, paths)  # 403: four
    held_out = [line for line in lines_of(corpus.dev) if line]
    assert held_out == ["0 399", "1 0", "2 0", "the last"]


def test_faults_of_all_files_are_told_at_once(tmp_path):
    paths = made(tmp_path, 3)
    paths[0].write_bytes(b"a\0b")
    paths[2].write_bytes(b"\n\n")
    with pytest.raises(UserError) as error:
        survey_corpus(paths, paths)
    assert codes(error) == ["corpus.binary", "corpus.empty"]


def test_a_block_that_names_files_alone_names_plain_text(tmp_path):
    assert plain_text(DataKeys(train="a.txt", dev="b.txt", note="mine"))
    assert plain_text(DataKeys(train="wiki/*"))
    for other in ({"text": "t"}, {"label": "l"}, {"dataset": "d"}, {"format": "csv"}):
        assert not plain_text(DataKeys(train="a.txt", **other))
    assert not plain_text(DataKeys(train="a.csv")) and not plain_text(DataKeys(train="a.JSONL"))
    paths = made(tmp_path, 3)
    task = FilesTask(DataKeys(train=str(tmp_path / "part-*.txt")), "")
    found = task.find("train", tmp_path)
    assert task.parts(found, "train") == paths
    assert task.find("dev", tmp_path) is None and task.fallback("dev", tmp_path)[0] == found
    named = FilesTask(DataKeys(train=str(paths[0]), dev=str(tmp_path / "none.txt")), "mine")
    assert named.fallback("dev", tmp_path) is None and named.name == "mine"
    assert named.absent("dev").code == "data.file-missing"

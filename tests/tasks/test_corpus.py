"""Corpora: documents by blank lines, what is held out, and files that are none."""

import math

import numpy as np
import pytest
from tests.found import codes

from chatstill.errors import UserError
from chatstill.tasks import reading
from chatstill.tasks.corpus import CorpusTask, Stretch, read_lines
from chatstill.tasks.corpus_survey import survey_corpus

LONG = "\n\n".join(f"document {number}\nits second line" for number in range(250)) + "\n"


def write(folder, text, name="train.txt"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def lines(stretch):
    return [line for _, some in read_lines(stretch) for line in some]


def test_blank_lines_part_documents_and_ends_of_lines_do_not_count(tmp_path):
    path = write(tmp_path, b"\xef\xbb\xbf\n\n one \r\ntwo\n \t \n\nthree")
    other = write(tmp_path, "four", "dev.txt")
    corpus = survey_corpus(path, other)
    assert (corpus.lines, corpus.documents) == ({"train": 3, "dev": 1}, {"train": 2, "dev": 1})
    assert lines(corpus.train) == ["", "", "one", "two", "", "", "three"]
    assert corpus.dev == Stretch(other, 0, 4)


@pytest.mark.parametrize("block", [7, 64, 1 << 20])
def test_without_dev_the_last_hundredth_is_held_out(tmp_path, monkeypatch, block):
    monkeypatch.setattr(reading, "BLOCK", block)
    path = write(tmp_path, "\n" + LONG)
    corpus = survey_corpus(path, path)
    assert corpus.documents == {"train": 248, "dev": 2}
    assert corpus.lines == {"train": 496, "dev": 4}
    assert lines(corpus.dev)[:2] == ["document 248", "its second line"]
    assert lines(corpus.train)[-2:] == ["its second line", ""]
    assert corpus.train.size + corpus.dev.size == path.stat().st_size


def test_a_corpus_of_two_documents_holds_one_out_and_of_one_none(tmp_path):
    two = survey_corpus(*[write(tmp_path, "a\n\nb")] * 2)
    assert lines(two.train) == ["a", ""] and lines(two.dev) == ["b"]
    with pytest.raises(UserError) as error:
        survey_corpus(*[write(tmp_path, "a\nb\n\n")] * 2)
    assert codes(error.value) == ["corpus.one-document"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "corpus.empty"),
        (b"\n \n\n", "corpus.empty"),
        (b"good\nbad \xff\xfe\n", "data.not-utf-8"),
        (b"\x1f\x8b\x08\x00\x00", "data.not-utf-8"),
        (b"a\nb\0c\n", "corpus.binary"),
    ],
)
def test_what_is_no_text_is_told_of_both_files_at_once(tmp_path, content, code):
    paths = [write(tmp_path, content, name) for name in ("train.txt", "dev.txt")]
    with pytest.raises(UserError) as error:
        survey_corpus(*paths)
    assert codes(error.value) == [code, code]
    for path, problem in zip(paths, error.value.problems, strict=True):
        assert problem.place.startswith(str(path))


def test_the_line_of_a_fault_is_named(tmp_path):
    path = write(tmp_path, b"a\nb\n\nc \xff\n")
    with pytest.raises(UserError, match=r"line 4, byte offset 7"):
        survey_corpus(path, path)


def test_figures_are_over_all_positions_and_can_be_resampled():
    task = CorpusTask()
    scores = np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 6.0]])
    found = task.metrics(scores, np.zeros(2), None)
    assert found == {
        "loss": 0.5,
        "masked_acc": 3 / 8,
        "pseudo_perplexity": pytest.approx(math.exp(0.5)),
    }
    for name, value in found.items():
        assert task.metric(name)(scores, np.zeros(2), None) == pytest.approx(value)


def test_a_loss_whose_exponential_no_float_holds_has_no_perplexity():
    task = CorpusTask()
    scores = np.array([[800.0, 0.0, 1.0], [790.0, 0.0, 1.0]])
    assert task.metrics(scores, np.zeros(2), None) == {"loss": 795.0, "masked_acc": 0.0}
    assert task.metric("pseudo_perplexity")(scores, np.zeros(2), None) == math.inf


def test_files_are_found_in_a_folder_of_the_task_or_beside(tmp_path):
    task = CorpusTask()
    assert task.find("train", tmp_path) is None and task.fallback("dev", tmp_path) is None
    beside = write(tmp_path, "x")
    assert task.find("train", tmp_path) == beside
    assert task.fallback("dev", tmp_path)[0] == beside
    (tmp_path / "Corpus").mkdir()
    inside = write(tmp_path / "Corpus", "x")
    assert task.find("train", tmp_path) == inside and task.find("test", tmp_path) is None

"""Dev text that stands in train: told by its share, refused where it is nearly all."""

import pytest
from tests.found import codes

from chatstill.tasks import corpus_repeats
from chatstill.tasks.corpus_repeats import check_repeats
from chatstill.tasks.corpus_survey import survey_corpus

LONG = [f"a sentence of some words, number {number:03}" for number in range(200)]


def check(tmp_path, train, dev):
    paths = [tmp_path / name for name in ("train.txt", "dev.txt")]
    for path, lines in zip(paths, (train, dev), strict=True):
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    corpus = survey_corpus(*paths)
    return check_repeats(corpus.train, corpus.dev)


@pytest.mark.parametrize(
    ("dev", "code"),
    [
        (LONG[100:], []),
        (["Yes.", *LONG[100:200]], []),
        ([LONG[3], LONG[3], *LONG[101:200]], ["corpus.some-dev-in-train"]),
        ([*LONG[50:130], ""], ["corpus.some-dev-in-train"]),
        ([" " + line + " " for line in LONG[:100]], ["corpus.dev-in-train"]),
        ([*LONG[5:95], *LONG[191:]], ["corpus.dev-in-train"]),
    ],
    ids=["apart", "a short line", "one of a hundred", "a part", "all", "nearly all"],
)
def test_it_goes_by_the_share_of_the_text(tmp_path, dev, code):
    found = check(tmp_path, ["Yes.", *LONG[:100]], dev)
    assert codes(found) == code
    assert [one.severity for one in found] == [
        "warning" if "some" in one else "error" for one in code
    ]


def test_the_message_counts_each_line_once(tmp_path):
    found = check(tmp_path, LONG[:100], [*LONG[90:110], LONG[90], "", LONG[105]])
    assert "10 of 20 lines, 50 % of the text" in found[0].message


def test_no_more_lines_are_kept_than_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_repeats, "LOOKED_AT", 10)
    assert check(tmp_path, LONG[:100], [*LONG[100:110], *LONG[:50]]) == []
    assert "5 of 10 lines" in check(tmp_path, LONG[:100], LONG[95:150])[0].message


def test_held_out_documents_are_looked_for_too_and_told_alone(tmp_path):
    """Nobody has named them: a corpus that repeats itself is no fault of the file."""
    path = tmp_path / "train.txt"
    path.write_text("\n\n".join([*LONG, LONG[0], LONG[1]]) + "\n", encoding="utf-8")
    corpus = survey_corpus(path, path)
    assert codes(check_repeats(corpus.train, corpus.dev)) == ["corpus.some-dev-in-train"]

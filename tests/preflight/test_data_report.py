"""The data report: one pass, exact counts, and warnings where something is likely wrong."""

from collections import Counter

import pytest
import transformers as tf
from tests.found import holds, told

from chatstill.data.encoded import Lengths
from chatstill.preflight import survey as survey_module
from chatstill.preflight.data_report import data_report, percent, plan_rows, warnings
from chatstill.preflight.survey import Histogram, Thinning, survey
from chatstill.readers.word_pieces import RowEncoder
from chatstill.tasks.base import Example, Rows
from chatstill.tasks.chat import ChatTask
from chatstill.text.tally import tally
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "##d", "好", "，"]
TASK = ChatTask()


@pytest.fixture
def tokenizer():
    return tf.BertTokenizer(vocab={piece: number for number, piece in enumerate(PIECES)})


def rows_of(rows, passes=None):
    """Rows as a task reads them, counting how often they are read."""
    values = Counter(str(label) for _, _, label in rows if label is not None)

    def read():
        for number, (text_a, text_b, label) in enumerate(rows):
            yield Example(f"x-{number}", number + 1, text_a, text_b, label, text_a)
            if passes is not None:
                passes.append(number)

    return Rows(read(), values, [])


def surveyed(rows, tokenizer, *, passes=None, **lengths):
    lengths = Lengths(**{"max_seq_length": 8, **lengths})
    return survey(rows_of(rows, passes), tokenizer, lengths, with_groups=True)


def report_of(train, dev, tokenizer, **lengths):
    files = {"train": "t.txt", "dev": "d.txt"}
    surveys = [surveyed(rows, tokenizer, **lengths) for rows in (train, dev)]
    return data_report(TASK, *surveys, files)


TRAIN = [
    ("a", "b", 1),
    ("a", "b", 1),  # a duplicate
    ("a", "c", 0),
    ("a", "b", 0),  # contradicts rows 1 and 2
    ("b", "c xyz 😀", 1),
    ("c", "a", None),
    ("c", "a", None),
]


def test_every_row_is_read_once(tokenizer):
    passes = []
    found = surveyed(TRAIN, tokenizer, passes=passes)
    assert passes == [*range(7)]
    assert found.num_rows == 7
    assert found.groups.tolist() == [0, 0, 0, 0, 1, 2, 2]
    assert [row.line for row in found.sample] == [1, 2, 3, 4, 5, 6, 7]


def test_rows_that_repeat_and_contradict(tokenizer):
    report = report_of(TRAIN, [("a", "b", 1), ("a", "zz", 0), ("d", "b", 0)], tokenizer)
    assert report["train"]["duplicates"] == {
        "rows": 2,
        "share": pytest.approx(2 / 7),
        "rows_of_equal_texts": 3,
    }
    assert report["train"]["contradictions"] == {
        "pairs": 1,
        "rows": 3,
        "share": pytest.approx(3 / 7),
        "lines": [[1, 2, 4]],
        "numbers": "lines",
    }
    assert report["train"]["rows_without_label"] == 2
    assert report["train"]["labels"]["1"] == {"rows": 3, "share": 0.6}
    assert report["dev_in_train"]["pairs"] == {"rows": 1, "share": pytest.approx(1 / 3)}
    assert report["dev_in_train"]["queries"] == {"rows": 2, "share": pytest.approx(2 / 3)}


def test_contradictions_are_listed_by_line(tokenizer):
    rows = [(f"q{n % 40}", "r", n % 3) for n in range(120)]
    found = report_of(rows, rows[:1], tokenizer)["train"]["contradictions"]
    assert found["pairs"] == 40
    assert found["rows"] == 120
    assert found["lines"] == [[n, n + 40, n + 80] for n in range(1, 21)]


def test_of_several_files_rows_are_counted_through_all_of_them(tokenizer):
    """Lines begin anew in each file, so a line number would not tell where to look."""
    rows = [("a", "b", 1), ("b", "c", 0), ("a", "b", 0)]
    examples = [Example(f"x-{n}", n % 2 + 1, *row, row[0]) for n, row in enumerate(rows)]
    lengths = Lengths(max_seq_length=8)
    counts = Counter("100")
    found = survey(Rows(iter(examples), counts, []), tokenizer, lengths, with_groups=True)
    report = data_report(TASK, found, surveyed(rows, tokenizer), {"train": "*.txt", "dev": "d.txt"})
    contradictions = report["train"]["contradictions"]
    assert contradictions["numbers"] == "rows" and contradictions["lines"] == [[1, 3]]
    said = [str(problem) for problem in warnings(report, TASK) if "contradict" in str(problem)]
    assert "in rows 1, 3 of all files together" in said[0] and "in lines 1, 3" in said[1]


def test_lengths_and_unknown_words(tokenizer):
    train = [("a", "b xyz xyz", 1), ("好嗄，", "bd bd q", 0), ("a" * 9, "b", 1)]
    split = report_of(train, train[:1], tokenizer)["train"]
    assert split["characters"]["text_a"] == {"median": 3, "percentile_95": 9, "longest": 9}
    tokens = split["tokens"]
    assert tokens["all_rows"] is True
    assert tokens["rows"] == 3
    assert tokens["row"] == {"median": 7, "percentile_95": 11, "longest": 11}
    assert tokens["share_of_rows_cut"] == pytest.approx(1 / 3)
    assert tokens["total"] == 1 + 3 + 3 + 5 + 1 + 1
    assert split["unknown"]["tokens"] == 2 + 1 + 1 + 1
    assert split["unknown"]["share_of_rows"] == 1.0
    assert split["unknown"]["commonest"] == [
        {"text": "xyz", "count": 2},
        {"text": "aaaaaaaaa", "count": 1},
        {"text": "q", "count": 1},
        {"text": "嗄", "count": 1},
    ]


def test_tokens_are_those_of_prepared_rows(tokenizer):
    texts = ["a xyz 好", "", "a xyz 好", "bd，"]
    found = tally(tokenizer, texts)
    assert found.lengths.tolist() == [
        len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]
    ]
    assert found.unknown.tolist() == [1, 0, 1, 0]
    assert found.words == {"xyz": 2}


def test_lengths_of_either_text_cut_a_row_too(tokenizer):
    rows = [("a b c", "a", 1), ("a", "a b c", 1), ("a", "b", 1), ("a", None, 1)]
    found = surveyed(rows, tokenizer, max_query_length=2)
    assert found.tokens.cut == 1
    assert surveyed(rows, tokenizer, max_reply_length=2).tokens.cut == 1
    assert surveyed(rows, tokenizer, max_seq_length=5).tokens.cut == 2
    assert surveyed(rows, tokenizer).tokens.row.counts[[3, 5, 7]].tolist() == [1, 1, 2]


def test_of_a_large_file_blocks_spread_over_it_are_tokenised(tokenizer, monkeypatch):
    monkeypatch.setattr(survey_module, "TOKEN_BLOCKS", 2)
    monkeypatch.setattr(survey_module, "SAMPLE_ROWS", 8)
    rows = [("a", "b" if number < 18432 else "xyz", 1) for number in range(10 * 2048)]
    found = surveyed(rows, tokenizer)
    assert found.num_rows == 10 * 2048
    assert found.token_sample
    assert found.tokens.rows == 3 * 2048  # the blocks 0, 4 and 8 of ten
    assert found.tokens.unknown == 0
    assert 8 <= len(found.sample) < 16
    assert found.sample[-1].line > 18432


def test_thinning_keeps_items_at_equal_distances():
    thinning = Thinning(4)
    for number in range(30):
        if thinning.wants():
            thinning.keep(number)
    assert thinning.kept == [0, 8, 16, 24]
    assert not thinning.whole


def test_quantiles_are_lengths_that_occur():
    import numpy as np

    histogram = Histogram()
    assert histogram.summary() == {"median": 0, "percentile_95": 0, "longest": 0}
    histogram.add(np.array([1, 2, 3, 4, 100_000]))
    assert histogram.summary() == {"median": 3, "percentile_95": 65_536, "longest": 100_000}


# -- warnings and the plan -------------------------------------------------------------------------


def words_of(report):
    return told(warnings(report, TASK))


def clean(num, start=0):
    return [(f"a {'b ' * (number + start)}", "c", number % 2) for number in range(num)]


def test_clean_data_have_no_warnings(tokenizer):
    report = report_of(clean(60), clean(20, start=100), tokenizer)
    assert words_of(report) == ""
    assert report["warnings"] == []
    shown = dict(plan_rows(report, Lengths(8)))
    assert shown["repeated"].startswith("train 0 rows (0), 0 texts")
    assert shown["characters"] == "train plain; dev plain"


def test_what_is_likely_wrong_is_a_warning(tokenizer):
    train = [*TRAIN, ("ｘ１", "\ufffd 囧", 1)]
    report = report_of(train, TRAIN[:2], tokenizer)
    said = words_of(report)
    for word in (
        "data.contradicting-rows",
        "lines 1, 2, 4",
        "data.unknown-tokens",
        "U+FFFD",
        '"normalize": "nfkc"',
        "data.dev-rows-in-train",
    ):
        assert holds(said, word), word
    assert report["warnings"] == [str(problem) for problem in warnings(report, TASK)]
    done = " ".join(map(str, warnings(report, TASK, normalizes=True)))
    assert "contradict each other" in done and "nfkc" not in done, "it is applied already"


def test_the_masks_of_augmented_rows_are_not_words_that_the_tokenizer_lacks(tokenizer):
    masked = [("a \u2370 b \u2370", text, 1) for text in "abc"]
    assert "unknown" not in words_of(report_of([*clean(60), *masked * 20], clean(20), tokenizer))
    said = words_of(report_of([*masked, ("xyz xyz xyz", "a", 0)], clean(20), tokenizer))
    assert holds(said, ("data.unknown-tokens", "xyz")) and "\u2370" not in said


def test_the_masks_of_augmented_rows_are_no_unknown_words_of_a_student_of_words_either():
    words = WordTokenizer(words=[*SPECIAL, "good", "dog"], segmenter="words")
    found = tally(words, ["good \u2370 dog", "cat \u2370"])
    assert found.words == {"\u2370": 2, "cat": 1} and found.unknown.tolist() == [1, 2]


def test_unknown_words_of_a_student_of_words_are_told_as_words(tokenizer):
    report = report_of(TRAIN, TRAIN[:2], tokenizer)
    assert [p.code for p in warnings(report, TASK) if "unknown" in p.code] == [
        "data.unknown-tokens"
    ]
    found = [p for p in warnings(report, TASK, words=True) if "unknown" in p.code]
    assert [(p.code, p.place) for p in found] == [("data.unknown-words", "train")]
    assert "xyz" in found[0].message and "min_count" in found[0].hint
    assert "language" not in str(found[0])
    assert "of words" in dict(plan_rows(report, Lengths(8), words=True))["unknown"]


def test_the_plan_names_every_length_that_cuts(tokenizer):
    rows = [("a b c d", "a", 1), ("a b c d", "a b c", 0), ("a", "b", 1), ("a b", "c", 0)]
    report = report_of(rows, rows, tokenizer)
    assert dict(plan_rows(report, Lengths(8)))["lengths"].endswith(
        "25.0 % of train's rows cut to 8"
    )
    assert report["train"]["tokens"]["share_of_text_a_cut"] is None
    sides = {"max_query_length": 3, "max_reply_length": 2, "max_seq_length": 30}
    report = report_of(rows, rows, tokenizer, **sides)
    tokens = report["train"]["tokens"]
    assert [tokens[f"share_of_{what}_cut"] for what in ("rows", "text_a", "text_b")] == [
        0.5,
        0.5,
        0.25,
    ]
    shown = dict(plan_rows(report, Lengths(30, 3, 2)))["lengths"]
    assert shown.endswith("cut to 30: 50.0 % of first texts to 3, 25.0 % of second texts to 2")


def test_rows_without_label_are_in_the_plan(tokenizer):
    shown = dict(plan_rows(report_of(TRAIN, TRAIN[:2], tokenizer), Lengths(8)))
    assert shown["train"] == "7 rows of t.txt (0: 2, 1: 3), 2 without label"
    assert shown["dev"] == "2 rows of d.txt (1: 2)"


def test_a_rare_class_is_a_warning(tokenizer):
    rows = [(f"{'a ' * number}", "b", int(number == 7)) for number in range(150)]
    assert "labels of less than 1% of the rows: 1 (1)" in words_of(
        report_of(rows, clean(5, start=500), tokenizer)
    )


@pytest.mark.parametrize(
    ("rare", "dev", "slip"),
    [("不相观", (), True), ("不相观", ("不相观",), False), ("其他", (), False), ("11", (), False)],
)
def test_a_rare_label_that_is_spelt_like_a_common_one_is_told_as_a_slip(tokenizer, rare, dev, slip):
    """More weight for it is the last thing it needs."""
    report = report_of(clean(5), clean(5, start=500), tokenizer)
    common = {"不相关": {"rows": 600, "share": 0.6}, "1": {"rows": 399, "share": 0.399}}
    report["train"]["labels"] = common | {rare: {"rows": 1, "share": 0.001}}
    report["dev"]["labels"] = common | {label: {"rows": 5, "share": 0.05} for label in dev}
    (found,) = [p for p in warnings(report, TASK) if p.code == "data.rare-labels"]
    assert ("'不相观' for '不相关'" in found.hint) == slip
    assert ("class_weights" in found.hint) != slip


def test_texts_of_which_nothing_is_known_are_refused(tokenizer):
    """A network that reads [UNK] alone learns the share of the labels."""
    rows = [(f"xyz xyz {'zyx ' * number}", "zzz", number % 2) for number in range(20)]
    report = report_of(rows, clean(9, start=500), tokenizer)
    found = {p.place: p.severity for p in warnings(report, TASK) if "unknown" in p.code}
    assert found["train"] == "error"
    assert {p.severity for p in warnings(report, TASK, words=True)} == {"warning"}


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0"), (0.00001, "< 0.01 %"), (0.0012, "0.12 %"), (0.25, "25.0 %"), (1, "100.0 %")],
)
def test_a_small_share_is_not_shown_as_none(share, text):
    assert percent(share) == text


def test_turns_before_the_first_text_count_with_their_separators(tokenizer):
    rows = [Example("x-0", 1, "a", "b", 1, "q", ("a b", "c")), Example("x-1", 2, "a", "b", 1, "q")]
    read = Rows(iter(rows), Counter({"1": 2}), [])
    found = survey(read, tokenizer, Lengths(8), with_groups=False)
    assert found.tokens.row.counts[[5, 10]].tolist() == [
        1,
        1,
    ]  # [CLS] a b [SEP] c [SEP] a [SEP] b [SEP]
    assert found.tokens.cut == 1
    assert found.pairs[0] != found.pairs[1]


@pytest.mark.parametrize(("most", "cut"), [(5, 1), (6, 0)])
def test_separators_count_for_the_length_of_the_query_as_when_rows_are_cut(tokenizer, most, cut):
    row = Example("x-0", 1, "a", "b", 1, "q", ("a b", "c"))  # a b [SEP] c [SEP] a
    lengths = Lengths(64, max_query_length=most)
    found = survey(Rows(iter([row]), Counter({"1": 1}), []), tokenizer, lengths, with_groups=False)
    encoded = RowEncoder(tokenizer, lengths)([row.text_a], [row.text_b], [row.context])
    assert found.tokens.cut == int(encoded.cut.sum()) == cut


def test_unknown_words_of_a_tokenizer_of_words_are_named():
    from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer

    words = WordTokenizer(words=[*SPECIAL, "good", "day"], segmenter="words")
    found = tally(words, ["Good morning", "morning day [SEP]", "good"])
    assert found.unknown.tolist() == [1, 4, 0]  # the brackets and what is inside them
    assert found.words["morning"] == 2 and found.words["sep"] == 1

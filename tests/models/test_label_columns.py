"""Labels are matched by name, by index, or refused with both counts."""

from types import SimpleNamespace

import pytest

from chatstill.models.label_columns import match_labels, positive_column
from chatstill.tasks.base import Labels

SENTIMENT = Labels("classification", ("negative", "positive"), (("neg", "bad"), ("pos", "good")))
RTE = Labels("classification", ("entailment", "not_entailment"))
NLI = Labels("classification", ("contradiction", "entailment", "neutral"))
CHAT = Labels("classification", ("0", "1"))
SCORE = Labels("regression")


def model(*names):
    return SimpleNamespace(id2label=dict(enumerate(names)))


@pytest.mark.parametrize(
    ("names", "labels", "order"),
    [
        (("negative", "positive"), SENTIMENT, [0, 1]),
        (("POSITIVE", "NEGATIVE"), SENTIMENT, [1, 0]),
        (("good", "Bad"), SENTIMENT, [1, 0]),
        (("Not Entailment", "entailment"), RTE, [1, 0]),
        (("entailment", "neutral", "contradiction"), NLI, [2, 0, 1]),
        (("LABEL_0", "LABEL_1"), SENTIMENT, [0, 1]),
        (("LABEL_1", "LABEL_0"), SENTIMENT, [1, 0]),
        (("0", "1"), SENTIMENT, [0, 1]),
        (("label 1", "label 0"), CHAT, [1, 0]),
    ],
)
def test_names_and_indices_give_the_columns_without_a_word(names, labels, order):
    match = match_labels(model(*names), labels)
    assert (match.order, match.objective, match.problems) == (order, "cross_entropy", [])


def test_keys_of_raw_json_are_strings():
    assert match_labels(SimpleNamespace(id2label={"1": "neg", "0": "pos"}), SENTIMENT).order == [
        1,
        0,
    ]


def test_one_logit_on_two_classes_is_a_sigmoid_scorer():
    match = match_labels(model("LABEL_0"), SENTIMENT)
    assert (match.order, match.objective, match.problems) == ([0], "sigmoid", [])
    assert match_labels(model("positive"), SENTIMENT).problems == []
    unknown = match_labels(model("score"), SENTIMENT)
    assert unknown.order == [0] and [p.code for p in unknown.warnings] == [
        "labels.scorer-of-unknown-name"
    ]


def test_one_logit_of_the_class_that_does_not_count_is_refused():
    """It was taken as the score of the other class: every answer turned round."""
    turned = match_labels(model("negative"), SENTIMENT)
    assert turned.order == [] and turned.objective == "sigmoid"
    (problem,) = turned.errors
    assert problem.code == "labels.scorer-of-other-label" and "'positive' does" in problem.message
    assert '"positive_label": "negative"' in problem.hint


def test_unknown_names_are_taken_by_index_and_said_so():
    match = match_labels(model("spam", "eggs"), SENTIMENT)
    assert match.order == [0, 1] and not match.errors
    assert match.warnings[0].code == "labels.matched-by-index"
    assert "spam" in match.warnings[0].message and "negative" in match.warnings[0].message


def test_two_pairs_of_plain_words_are_matched_by_their_meaning_and_said_so():
    found = Labels("classification", ("负面", "正面"), positive="正面")
    for names, order in ((("match", "no_match"), [1, 0]), (("no", "yes"), [0, 1])):
        match = match_labels(model(*names), found)
        assert match.order == order and not match.errors
        assert match.warnings[0].code == "labels.matched-by-meaning"
        assert f"{names[order[1]]!r} as '正面'" in match.warnings[0].message


def test_one_known_name_settles_the_other():
    match = match_labels(model("positive", "meh"), SENTIMENT)
    assert match.order == [1, 0] and len(match.warnings) == 1
    assert "'meh' (column 1) as 'negative'" in match.warnings[0].message


def test_two_columns_of_one_name_prove_nothing():
    match = match_labels(model("good", "positive"), SENTIMENT)
    assert match.order == [0, 1] and match.warnings


@pytest.mark.parametrize(
    ("names", "labels", "figures"),
    [
        (("entailment", "neutral", "contradiction"), RTE, ("3 outputs", "2 labels")),
        (("a", "b"), NLI, ("2 outputs", "3 labels")),
        (("a",), NLI, ("1 output ", "3 labels")),
        (("LABEL_0", "LABEL_1"), SCORE, ("2 outputs", "1 output")),
        ((), SENTIMENT, ("0 outputs", "2 labels")),
    ],
)
def test_a_wrong_count_is_an_error_that_names_both(names, labels, figures):
    match = match_labels(model(*names), labels, role="teacher")
    assert match.order == [] and len(match.errors) == 1
    assert all(figure in match.errors[0].message for figure in figures)


def test_regression_takes_its_one_output():
    match = match_labels(model("LABEL_0"), SCORE)
    assert (match.order, match.objective, match.problems) == ([0], "regression", [])


def test_a_real_configuration():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(id2label={0: "POS", 1: "NEG"}, label2id={"POS": 0, "NEG": 1})
    assert match_labels(config, SENTIMENT).order == [1, 0]


TAGS = Labels("multi_label", ("art", "money", "sport"))


def test_sets_of_labels_by_name():
    match = match_labels(model("Sport", "art", "money"), TAGS)
    assert (match.order, match.objective, match.problems) == ([1, 2, 0], "multi_label", [])
    assert match_labels(model("a", "b"), TAGS).errors


def test_a_model_that_chooses_one_label_is_told_of():
    config = model("art", "money", "sport")
    config.problem_type = "single_label_classification"
    (warning,) = match_labels(config, TAGS).warnings
    assert warning.code == "labels.trained-to-choose-one" and "3" in warning.message


def test_names_that_are_equal_as_written_match_in_any_order_without_a_word():
    signed = Labels("classification", ("-1", "0", "1"))
    match = match_labels(model("0", "1", "-1"), signed)
    assert (match.order, match.problems) == ([2, 0, 1], [])


def test_case_is_folded_only_where_the_names_stay_apart():
    cased = Labels("classification", ("US", "us"))
    assert match_labels(model("us", "US"), cased).order == [1, 0]
    match = match_labels(model("Us", "us"), cased)
    assert (match.order, len(match.warnings)) == ([0, 1], 1)


def test_unicode_forms_are_the_same_name():
    assert match_labels(
        model("ｙｅｓ", "cafe\u0301"), Labels("classification", ("café", "yes"))
    ).order == [1, 0]


def test_the_order_that_stands_for_missing_names_is_told_with_the_key():
    found = Labels("classification", ("cat", "dog"), settled=False, key="data.labels")
    match = match_labels(model("LABEL_0", "LABEL_1"), found)
    assert "output 0 is cat, output 1 is dog" in match.note and "data.labels" in match.note
    assert "data.labels" in match.warnings[0].hint


def test_unnamed_outputs_are_counted_as_the_files_count():
    listed = Labels("classification", ("drop", "keep"), columns=("keep", "drop"), positive="keep")
    assert match_labels(model("LABEL_0", "LABEL_1"), listed).order == [1, 0]


@pytest.mark.parametrize(
    ("names", "labels", "column"),
    [
        (("negative", "positive"), SENTIMENT, 1),
        (("positive", "negative"), SENTIMENT, 0),
        (("entailment", "neutral", "contradiction"), NLI, 1),
        (("score",), SCORE, 1),
        (("no", "yes"), Labels("classification", ("yes", "no"), positive="yes"), 1),
        (("LABEL_0", "LABEL_1"), Labels("classification", ("a", "b"), positive="a"), 0),
    ],
)
def test_the_output_of_the_class_that_counts(names, labels, column):
    assert positive_column(labels, match_labels(model(*names), labels)) == column

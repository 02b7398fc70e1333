"""The linear model on TF-IDF against its formulas in loops; how it is chosen and what it is told."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize

from chatstill.config.schema import DataKeys
from chatstill.evaluate import linear_model, tf_idf
from chatstill.evaluate.linear import linear_lines
from chatstill.evaluate.linear_model import learnt
from chatstill.tasks import get_task
from chatstill.tasks.base import Example
from chatstill.tasks.tabular import TabularTask

TRAIN = [
    ("a good film", 1),
    ("good fun for all", 1),
    ("a film of good cheer", 1),
    ("a bad film", 0),
    ("bad and dull", 0),
    ("dull film for all", 0),
]
ASKED = ["good film", "dull fun", "bad cheer for all", "unheard", ""]


def rows(pairs, second=None):
    return [
        Example(f"train-{n}", n + 1, text, second and second[n], label)
        for n, (text, label) in enumerate(pairs)
    ]


def tokens(text):
    words = text.split()
    return [*words, *(f"{a} {b}" for a, b in pairwise(words))]


def plain_features(fitted, texts):
    """(1 + ln count) · (ln((1 + n) / (1 + df)) + 1), each text of length 1."""
    df = Counter(word for text in fitted for word in set(tokens(text)))
    place = {word: number for number, word in enumerate(sorted(df))}
    found = np.zeros((len(texts), len(place)))
    for row, text in enumerate(texts):
        for word, count in Counter(tokens(text)).items():
            if word in place:
                idf = math.log((1 + len(fitted)) / (1 + df[word])) + 1
                found[row, place[word]] = (1 + math.log(count)) * idf
        length = np.linalg.norm(found[row])
        found[row] /= length or 1
    return found


def plain_logistic(features, labels, asked, strength):
    """Half the squared weights and C times the log-loss, at their minimum; log-odds of the second class."""
    signs = 2 * np.asarray(labels) - 1

    def loss(values):
        margins = signs * (features @ values[:-1] + values[-1])
        return values[:-1] @ values[:-1] / 2 + strength * np.logaddexp(0, -margins).sum()

    best = minimize(loss, np.zeros(features.shape[1] + 1), tol=1e-10).x
    return asked @ best[:-1] + best[-1]


def test_two_classes_are_the_logistic_regression_of_the_formula():
    found = learnt(get_task("sst-2"), rows(TRAIN), rows([(text, 0) for text in ASKED]))
    texts = [text for text, _ in TRAIN]
    features = plain_features(texts, texts)
    wanted = plain_logistic(
        features, [label for _, label in TRAIN], plain_features(texts, ASKED), 1
    )
    assert found.scores[:, 1] - found.scores[:, 0] == pytest.approx(wanted, abs=1e-3)
    assert np.exp(found.scores).sum(1) == pytest.approx(1)
    assert (found.rows, found.of, found.strength) == (6, 6, 1.0) and "too few" in found.chosen


def test_of_two_texts_what_they_share_and_how_they_differ_count_too():
    pairs = [(text, label) for text, label in TRAIN]
    second = ["a good film", "bad fun", "a film", "a bad film", "good", "film for all"]
    asked, other = ["good film", "dull"], ["good film", "fun"]
    found = learnt(get_task("mrpc"), rows(pairs, second), rows([(a, 0) for a in asked], other))
    fitted = [text for (a, _), b in zip(pairs, second, strict=True) for text in (a, b)]

    def features(firsts, seconds):
        a, b = plain_features(fitted, firsts), plain_features(fitted, seconds)
        return np.hstack([a, b, a * b, abs(a - b)])

    train = features([text for text, _ in pairs], second)
    wanted = plain_logistic(train, [label for _, label in pairs], features(asked, other), 1)
    assert found.scores[:, 1] - found.scores[:, 0] == pytest.approx(wanted, abs=1e-3)


def test_a_number_is_the_ridge_regression_of_the_formula():
    texts, labels = [text for text, _ in TRAIN], np.array([4.0, 5.0, 3.5, 1.0, 0.0, 0.5])
    task = get_task("sts-b")
    pairs = rows(list(zip(texts, labels.tolist(), strict=True)), ["good fun"] * 6)
    found = learnt(task, pairs, rows([(text, 0.0) for text in ASKED], ["good fun"] * 5))
    fitted = [text for one in texts for text in (one, "good fun")]
    same = plain_features(fitted, ["good fun"])

    def features(firsts):
        a = plain_features(fitted, firsts)
        return np.hstack([a, np.repeat(same, len(firsts), 0), a * same, abs(a - same)])

    train = features(texts)
    middle = train.mean(0)
    centred = train - middle
    weights = np.linalg.solve(
        centred.T @ centred + np.eye(train.shape[1]), centred.T @ (labels - labels.mean())
    )
    wanted = (features(ASKED) - middle) @ weights + labels.mean()
    assert found.scores == pytest.approx(wanted[:, None], abs=1e-3)


def test_each_of_any_number_of_labels_has_a_model_and_one_that_no_row_has_is_not_given():
    keys = DataKeys(text="t", label="l", kind="multi_label", labels=("good", "none", "dull"))
    task = TabularTask(keys)
    found = [
        tuple(number for number, name in ((0, "good"), (2, "dull")) if name in text.split())
        for text, _ in TRAIN
    ]
    train = rows(list(zip((text for text, _ in TRAIN), found, strict=True)))
    scores = learnt(task, train, train).scores
    assert (scores[:, 1] < -20).all()
    texts = [text for text, _ in TRAIN]
    features = plain_features(texts, texts)
    for number in (0, 2):
        labels = [int(number in one) for one in found]
        wanted = plain_logistic(features, labels, features, 1)
        assert scores[:, number] == pytest.approx(wanted, abs=1e-3)


def test_a_class_of_no_training_row_is_the_least_likely():
    task = get_task("mnli")
    pairs = rows(TRAIN, ["so it is"] * 6)  # entailment and neutral alone
    answers = learnt(task, pairs, pairs).scores
    assert answers.shape == (6, 3) and (answers.argmin(1) == 2).all()


def many(count, seed):
    """Texts whose label is told by one word, among many that tell nothing; a fifth of the labels is wrong."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        label = int(generator.integers(2))
        noise = " ".join(f"w{number}" for number in generator.integers(0, 400, 12))
        turned = generator.random() < 0.2
        found.append((f"{('bad', 'good')[label]} {noise}", label ^ int(turned)))
    return found


@pytest.mark.parametrize(("most", "how"), [(2000, "each fifth"), (100, "a tenth")])
def test_the_strength_is_the_best_by_the_main_metric_on_texts_that_were_held_out(
    monkeypatch, most, how
):
    monkeypatch.setattr(linear_model, "FEW", most)
    train, asked = rows(many(400, 1)), rows(many(100, 2))
    task = get_task("sst-2")
    found = learnt(task, train, asked)
    folds = linear_model._folds(train)
    assert [fold.sum() for fold in folds] == ([80] * 5 if most > 400 else [40])
    (words,) = linear_model.kinds_for(["a text"])
    scores = {}
    for strength in linear_model.STRENGTHS:
        hits = []
        for fold in folds:
            left = [row for row, held in zip(train, fold, strict=True) if not held]
            out = [row for row, held in zip(train, fold, strict=True) if held]
            answers = linear_model._answers(task, left, out, words, [strength])[0]
            hits += (answers.argmax(1) == [row.label for row in out]).tolist()
        scores[strength] = sum(hits)
    assert len(set(scores.values())) > 1
    assert found.strength == min(s for s, v in scores.items() if v == max(scores.values()))
    assert how in found.chosen


def test_every_text_is_asked_once_where_there_are_few():
    folds = linear_model._folds(rows([(f"text {number}", 0) for number in range(101)]))
    assert (np.sum(folds, axis=0) == 1).all()


def test_the_order_of_the_rows_decides_nothing_about_which_classes_are_held_out(monkeypatch):
    """Files that go round their classes would have one class alone at every tenth place."""
    monkeypatch.setattr(linear_model, "FEW", 100)
    texts = [f"text {number}" for number in range(300)]
    pairs = [(text, number % 10) for number, text in enumerate(texts)]
    (held,) = linear_model._folds(rows(pairs))
    assert held.sum() == 30 and len({number % 10 for number in np.flatnonzero(held)}) > 5


def test_rows_of_one_text_are_held_out_together(monkeypatch):
    texts = rows([(f"text {number // 3}", 0) for number in range(300)])
    for fold in linear_model._folds(texts):
        assert (fold.reshape(100, 3).sum(1) % 3 == 0).all() and fold.sum() == 60
    monkeypatch.setattr(linear_model, "FEW", 60)
    (held,) = linear_model._folds(texts)
    assert (held.reshape(100, 3).sum(1) % 3 == 0).all() and held.sum() == 30
    assert not linear_model._folds(rows([("text", 0)] * 300))


def test_of_texts_without_blanks_characters_are_counted_where_they_tell_more():
    """One character tells the class, in words that are all different."""
    signs = [chr(0x4E00 + number) for number in range(0, 4000, 7)]
    texts = [
        (f"{'好' if n % 2 else '坏'}{sign}{signs[-n - 1]}", n % 2)
        for n, sign in enumerate(signs[:200])
    ]
    found = learnt(get_task("sst-2"), rows(texts[:150]), rows(texts[150:]))
    assert found.words == "characters"
    assert (found.scores.argmax(1) == [label for _, label in texts[150:]]).all()
    assert tf_idf.characters_of("A 好，b") == ["a", "好", "，", "b"]
    assert [kind.title for kind in tf_idf.kinds_for(["plain words"])] == [
        "words by Unicode boundaries"
    ]


@pytest.mark.parametrize("fault", ["one label", "no difference"])
def test_where_a_tenth_of_the_texts_tells_nothing_the_usual_strength_is_taken_and_told(fault):
    labels = [0] * 59 + [1] if fault == "one label" else [0, 1] * 30
    told = ["neg", "pos"] if fault == "no difference" else ["so", "so"]
    train = rows([(f"{told[label]} t{n} {told[label]}", label) for n, label in enumerate(labels)])
    found = learnt(get_task("sst-2"), train, train[:4])
    assert found.strength == linear_model.USUAL
    assert {"one label": "one label", "no difference": "all do alike"}[fault] in found.chosen


def test_of_very_many_training_rows_some_are_drawn_and_that_is_said(monkeypatch):
    monkeypatch.setattr(linear_model, "MOST_ROWS", 200)
    found = learnt(get_task("sst-2"), rows(many(400, 1)), rows(many(20, 2)))
    assert (found.rows, found.of) == (200, 400)
    table = {
        **{"training_rows": 200, "of_rows": 400, "kind": "logistic regression", "strength": 3.0},
        **{
            "left_out": [],
            "chosen": "so and so",
            "words": "words",
            "main": "acc",
            "lower_is_better": False,
        },
        **{"model": {"acc": 0.8}, "tf_idf": {}, "difference": 0.1, "interval": [0.05, 0.15]},
    }
    assert "200 of 400" in linear_lines(table)[0] and "C 3 " in linear_lines(table)[0]


@pytest.mark.parametrize(
    ("interval", "lower", "warned"),
    [
        ([0.01, 0.1], False, None),
        ([-0.1, 0.1], False, "do not tell"),
        ([-0.1, -0.01], False, "is better"),
        ([0.0, 0.0], False, "do not tell"),
        ([-0.1, 0.0], False, "do not tell"),
        ([0.01, 0.1], True, "is better"),
        ([-0.1, -0.01], True, None),
    ],
)
def test_a_network_that_is_not_better_is_told(interval, lower, warned):
    table = {
        **{"training_rows": 9, "of_rows": 9, "kind": "ridge regression", "strength": 0.1},
        **{
            "left_out": ["2 bad"],
            "chosen": "so",
            "words": "words",
            "main": "rmse",
            "lower_is_better": lower,
        },
        **{"model": {"rmse": 0.8}, "tf_idf": {"rmse": 0.9}, "difference": 0.0},
        "interval": interval,
    }
    text = "\n".join(linear_lines(table))
    assert "alpha 10 (so)" in text and "2 bad" in text
    assert (warned or "paired") in text and ("warning" in text) == (warned is not None)


def test_texts_that_share_no_word_are_learnt_from_all_the_same():
    train = rows([("one", 1), ("two", 1), ("", 0), ("!", 0)])
    found = learnt(get_task("sst-2"), train, rows([("one", 1), ("?", 0)]))
    assert found.scores[0].argmax() == 1


def test_texts_without_a_single_word_answer_alike():
    train = rows([("!", 1), ("?", 0), ("", 1)])
    found = learnt(get_task("sst-2"), train, rows([("...", 1), ("", 0)]))
    assert found.scores[0] == pytest.approx(found.scores[1])

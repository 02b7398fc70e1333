"""Figures of all questions against every way to break ties, in loops; literal cases; planted faults."""

from itertools import pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cases import cases

from chatstill.tasks import all_questions as all_q
from chatstill.tasks.all_questions import compare_rankers
from chatstill.tasks.ranking import group_table

ROW = st.tuples(st.integers(0, 2), st.integers(0, 2), st.booleans())
QUESTIONS = st.lists(st.lists(ROW, min_size=1, max_size=4), min_size=1, max_size=4)


def orders(scores):
    """Every order of the candidates that the scores allow."""
    return [
        order
        for order in permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in pairwise(order))
    ]


def plainly(questions):
    """All figures by their definitions, over every pair of orders, in loops."""
    largest = max(map(len, questions))
    cutoffs = [n for n in (1, 2, 5, 10) if n < largest]
    sums = {name: {n: 0.0 for n in cutoffs} for name in ("p", "r", "pbt", "p2", "r2", "ptb")}
    for rows in questions:
        relevant = {row for row, (_, _, right) in enumerate(rows) if right}
        both = list(product(orders([row[0] for row in rows]), orders([row[1] for row in rows])))
        for one, two in both:
            for n in cutoffs:
                a, b = relevant & {*one[:n]}, relevant & {*two[:n]}
                sums["p"][n] += bool(a) / len(both)
                sums["p2"][n] += bool(b) / len(both)
                sums["pbt"][n] += bool(a - b) / len(both)
                sums["ptb"][n] += bool(b - a) / len(both)
                sums["r"][n] += len(a) / max(len(relevant), 1) / len(both)
                sums["r2"][n] += len(b) / max(len(relevant), 1) / len(both)
    model = {f"{name}@{n}": sums[name][n] for name in ("p", "r", "pbt") for n in cutoffs}
    other = {
        f"{name.rstrip('2')}@{n}": sums[name][n] for name in ("p2", "r2", "ptb") for n in cutoffs
    }
    of = len(questions)
    return {k: v / of for k, v in model.items()}, {k: v / of for k, v in other.items()}


def compared(questions, **more):
    rows = [(number, *row) for number, rows in enumerate(questions) for row in rows]
    group, model, other, right = (np.array(column) for column in zip(*rows, strict=True))
    return compare_rankers(
        model.astype(float), other.astype(float), right.astype(bool), group, **more
    )


def without_means(figures):
    return {name: value for name, value in figures.items() if name not in ("map", "mrr")}


@cases(150)
@given(QUESTIONS)
def test_every_figure_is_the_mean_over_all_ways_to_break_ties(questions):
    found = compared(questions, resamples=2)
    model, other = plainly(questions)
    assert without_means(found.model) == pytest.approx(model, abs=1e-12)
    assert without_means(found.other) == pytest.approx(other, abs=1e-12)
    assert found.questions == len(questions)
    assert found.with_relevant == sum(any(right for *_, right in rows) for rows in questions)


@cases(60)
@given(QUESTIONS)
def test_map_and_mrr_are_those_of_the_questions_with_a_relevant_one_times_their_share(questions):
    found = compared(questions, resamples=2)
    rows = [(number, *row) for number, rows in enumerate(questions) for row in rows]
    group, model, other, right = (np.array(column) for column in zip(*rows, strict=True))
    for score, figures in ((model, found.model), (other, found.other)):
        table = group_table(score.astype(float), right.astype(bool), group)
        share = len(table.size) / len(questions)
        for name in ("map", "mrr"):
            mean = table.values[name].mean() if len(table.size) else 0.0
            assert figures[name] == pytest.approx(mean * share)
    assert found.difference == pytest.approx(found.model["map"] - found.other["map"])


# Three questions without ties. Model: relevant at 1; at 3; none. Other: at 2; at 1; none.
THREE = [
    [(3, 2, True), (2, 3, False), (1, 1, False)],
    [(1, 3, True), (3, 2, False), (2, 1, False)],
    [(3, 1, False), (2, 2, False), (1, 3, False)],
]


def test_three_questions_by_hand():
    found = compared(THREE)
    assert (found.questions, found.with_relevant, found.larger) == (3, 2, {1: 3, 2: 3})
    model = {"p@1": 1 / 3, "p@2": 1 / 3, "r@1": 1 / 3, "r@2": 1 / 3, "pbt@1": 1 / 3, "pbt@2": 0.0}
    assert found.model == pytest.approx({**model, "map": 4 / 9, "mrr": 4 / 9})
    other = {"p@1": 1 / 3, "p@2": 2 / 3, "r@1": 1 / 3, "r@2": 2 / 3, "ptb@1": 1 / 3, "ptb@2": 1 / 3}
    assert found.other == pytest.approx({**other, "map": 0.5, "mrr": 0.5})
    assert found.difference == pytest.approx(4 / 9 - 0.5)


def test_a_question_counts_once_however_many_relevant_candidates_are_only_in_one_list():
    rows = [(4, 1, True), (3, 2, True), (2, 4, False), (1, 3, False)]
    found = compared([rows])
    assert found.model["pbt@2"] == 1.0 and found.model["r@2"] == 1.0
    assert found.model["p@2"] == 1.0 and found.other["ptb@2"] == 0.0


def test_both_shares_can_hold_for_one_question():
    rows = [(3, 1, True), (1, 3, True), (2, 2, False)]
    found = compared([rows])
    assert found.model["pbt@1"] == found.other["ptb@1"] == 1.0


def test_ties_of_both_are_broken_independently():
    found = compared([[(0, 0, True), (0, 0, False)]])
    assert found.model["p@1"] == 0.5 and found.model["pbt@1"] == found.other["ptb@1"] == 0.25
    alike = compared([[(2, 2, True), (1, 1, False)]])
    assert alike.model["pbt@1"] == alike.other["ptb@1"] == 0.0


def test_large_blocks_of_equal_scores_are_computed_exactly():
    rows = [(number, 0, number == 1999) for number in range(2000)]
    found = compared([rows], resamples=2)
    assert found.model["pbt@5"] == pytest.approx(1 - 5 / 2000)
    assert found.other["p@5"] == pytest.approx(5 / 2000) and found.other["ptb@5"] == 0.0


def test_cut_offs_that_no_question_exceeds_are_left_out():
    assert compared([[(1, 1, True)]], resamples=2).larger == {}
    sizes = [[(row, row, row == 0) for row in range(size)] for size in (2, 6)]
    assert compared(sizes, resamples=2).larger == {1: 2, 2: 1, 5: 1}


def test_the_interval_is_of_paired_questions_those_without_a_relevant_one_too():
    apart = [[(2, 1, True), (1, 2, False)]] * 30
    found = compared(apart)
    assert found.difference == 0.5 and found.interval == (0.5, 0.5), "no question differs"
    nothing = [[(1, 2, False), (2, 1, False)]] * 30
    low, high = compared(apart + nothing).interval
    assert 0.1 < low < 0.25 < high < 0.4


TRUE_FIRST, TRUE_ONLY = all_q.first, all_q.only_in
FAULTS = {
    "a hit is a recall": ("hit", all_q.recall),
    "a recall is a hit": ("recall", all_q.hit),
    "PBT is PTB": ("only_in", lambda one, two, right: TRUE_ONLY(two, one, right)),
    "one place too many": ("first", lambda score, n: TRUE_FIRST(score, n + 1)),
    "the worst first": ("first", lambda score, n: TRUE_FIRST(-score, n)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, monkeypatch):
    two_right = [(3, 1, True), (1, 2, True), (2, 3, False), (0, 0, False)]
    expected = plainly([*THREE, two_right])

    def alike():
        found = compared([*THREE, two_right], resamples=2)
        pairs = zip((found.model, found.other), expected, strict=True)
        return all(without_means(one) == pytest.approx(two) for one, two in pairs)

    assert alike()
    monkeypatch.setattr(all_q, *FAULTS[fault])
    assert not alike()

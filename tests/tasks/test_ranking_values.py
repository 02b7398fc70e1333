"""Ranking metrics against a slow reference that tries every way to break ties."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.draws import reseeded

from chatstill.tasks.ranking import factorise, group_table, random_values, ranking_metrics

GROUP = st.lists(st.tuples(st.integers(0, 2).map(float), st.booleans()), min_size=1, max_size=5)
ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 3).map(float), st.booleans()),
    min_size=1,
    max_size=40,
)


def orders(scores):
    """Every order of the rows that the scores allow."""
    for order in permutations(range(len(scores))):
        if all(scores[a] >= scores[b] for a, b in pairwise(order)):
            yield order


def reference(scores, positives):
    """The four metrics of one group by their definitions: means over all orders, in loops."""
    found = list(orders(scores))
    places = np.array([[order.index(row) + 1 for row in range(len(scores))] for order in found])
    chosen = [row for row in range(len(scores)) if positives[row]]
    both = [usual([positives[row] for row in order]) for order in found]
    result = {
        "mrr": np.mean([reciprocal for reciprocal, _ in both]),
        "map": np.mean([precision for _, precision in both]),
        "p@1": np.mean([positives[order[0]] for order in found]),
    }
    for k in (1, 2, 5):
        result[f"r@{k}"] = np.mean(places[:, chosen] <= k)
    return result


def usual(positives):
    """Reciprocal rank and average precision of an order without ties."""
    ranks = [place for place, positive in enumerate(positives, 1) if positive]
    return 1 / ranks[0], np.mean([count / rank for count, rank in enumerate(ranks, 1)])


@settings(max_examples=150, deadline=None)
@given(GROUP)
def test_one_group_equals_the_definitions(group):
    scores, positives = [g[0] for g in group], [g[1] for g in group]
    table = group_table(np.array(scores), np.array(positives), ["g"] * len(group))
    assert table.num_groups == 1
    if not any(positives):
        assert not len(table.size)
        return
    expected = reference(scores, positives)
    assert {name: value[0] for name, value in table.values.items()} == pytest.approx(expected)


def test_relevant_rows_of_one_score_cost_nothing_where_no_other_has_it():
    """Two equal replies that both fit: which of them stands first is no question."""
    right = np.array([True, True, False])
    tied = group_table(np.array([1.0, 1.0, 0.0]), right, ["g"] * 3)
    apart = group_table(np.array([1.0 + 1e-7, 1.0, 0.0]), right, ["g"] * 3)
    assert {name: value.tolist() for name, value in tied.values.items()} == {
        name: value.tolist() for name, value in apart.values.items()
    }
    assert tied.values["mrr"][0] == tied.values["map"][0] == 1


@settings(max_examples=100, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_many_groups_are_the_mean_of_each_in_any_order_of_rows(rows, random):
    groups, scores, positives = ([r[i] for r in rows] for i in range(3))
    per_group = []
    for name in sorted(set(groups)):
        inside = [i for i in range(len(rows)) if groups[i] == name]
        if any(positives[i] for i in inside):
            one = group_table(
                np.array([scores[i] for i in inside]),
                np.array([positives[i] for i in inside]),
                [name] * len(inside),
            )
            per_group.append({name: values[0] for name, values in one.values.items()})
    table = group_table(np.array(scores), np.array(positives), np.array(groups))
    assert len(table.size) == len(per_group) and table.num_groups == len(set(groups))
    if not per_group:
        return
    result = ranking_metrics(table)
    for name in per_group[0]:
        assert result[name] == pytest.approx(np.mean([group[name] for group in per_group]))

    order = list(range(len(rows)))
    random.shuffle(order)
    names = [f"group {groups[i]}" for i in order]
    shuffled = group_table(np.array(scores)[order], np.array(positives)[order], names)
    assert ranking_metrics(shuffled) == pytest.approx(result)
    stretched = group_table(np.exp(np.array(scores)) - 7, np.array(positives), np.array(groups))
    assert ranking_metrics(stretched) == pytest.approx(result)


@pytest.mark.parametrize("n", range(1, 7))
def test_a_random_ranker_is_the_mean_over_all_orders(n):
    for m in range(1, n + 1):
        labels = [True] * m + [False] * (n - m)
        tables = [reference(list(range(n, 0, -1)), order) for order in set(permutations(labels))]
        expected = {name: np.mean([table[name] for table in tables]) for name in tables[0]}
        values = random_values(np.array([n]), np.array([m]))
        assert {name: value[0] for name, value in values.items()} == pytest.approx(expected)


def test_a_random_ranker_of_large_groups():
    values = random_values(np.array([100_000, 3, 10]), np.array([50_000, 1, 1]))
    assert values["mrr"][0] == pytest.approx(np.log(2), abs=1e-4)
    assert values["mrr"][1] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert values["r@5"].tolist() == pytest.approx([5e-5, 1, 0.5])
    assert np.isfinite(values["map"]).all()


@pytest.mark.parametrize("positives", [1, 3, 10])
def test_equal_scores_earn_what_chance_does(positives):
    table = group_table(np.zeros(10), np.arange(10) < positives, ["g"] * 10)
    result = ranking_metrics(table)
    for name in ("mrr", "map", "p@1", "r@1", "r@2", "r@5", "r10@1", "r10@5"):
        assert result[name] == pytest.approx(result[f"random_{name}"])


def test_equal_scores_below_others():
    """One of three that are tied behind a first one is right: it is second, third or fourth."""
    table = group_table(np.array([2.0, 1, 1, 1]), np.array([0, 1, 0, 0], bool), ["g"] * 4)
    assert table.values["mrr"][0] == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)
    assert table.values["map"][0] == pytest.approx(table.values["mrr"][0])


def test_groups_of_ten_have_their_own_figures():
    size = [10, 10, 3]
    groups = np.repeat([0, 1, 2], size)
    positive = np.concatenate([np.arange(n) == 0 for n in size])
    score = np.concatenate([-np.arange(10.0), np.arange(10.0), np.array([0.0, 1, 2])])
    result = ranking_metrics(group_table(score, positive, groups))
    assert result["r10@1"] == 0.5 and result["groups_of_10"] == 2
    assert result["r@1"] == pytest.approx(1 / 3)
    assert "r3@1" not in result
    same = ranking_metrics(group_table(score[:20], positive[:20], groups[:20]))
    assert same["r10@2"] == same["r@2"]
    small = ranking_metrics(group_table(score[20:], positive[20:], groups[20:]))
    assert {"r3@1", "r3@2"} <= set(small) and "r3@5" not in small and "groups_of_10" not in small


def test_groups_as_names_numbers_or_arrays():
    for groups in (
        ["b", "a", "b"],
        np.array(["b", "a", "b"]),
        np.array([7, -1, 7], dtype=np.int32),
    ):
        codes, count = factorise(groups)
        assert count == 2 and codes[0] == codes[2] != codes[1]


def test_a_million_rows_at_once():
    generator = np.random.default_rng(reseeded(0))
    groups = np.repeat(np.arange(100_000), 10)
    table = group_table(generator.normal(size=10**6), np.arange(10**6) % 10 == 0, groups)
    found = ranking_metrics(table)
    assert abs(found["p@1"] - 0.1) < 0.01

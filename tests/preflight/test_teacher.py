"""A teacher at chance stops the run; a good one passes whatever the balance of the classes."""

import numpy as np
import pytest
from tests.draws import reseeded

from chatstill.preflight.sample import sample_rows
from chatstill.preflight.teacher import MOST_ROWS, below_chance, check_teacher
from chatstill.tasks.base import Labels

TWO = Labels("classification", ("no", "yes"))
THREE = Labels("classification", ("a", "b", "c"))
SCORE = Labels("regression")


def logits(labels, strength, seed, classes=2):
    """Noise plus ``strength`` on the true class."""
    scores = np.random.default_rng(reseeded(seed)).normal(size=(len(labels), classes))
    scores[np.arange(len(labels)), labels] += strength
    return scores


@pytest.mark.parametrize("share", [0.5, 0.1, 0.9])
def test_a_good_teacher_passes_also_on_rare_classes(share):
    labels = (np.arange(512) < 512 * share).astype(int)
    scores = logits(labels, 1.5, seed=1)
    scores[:, int(share > 0.5)] += 6  # every answer is the larger class: accuracy is its share
    check = check_teacher(scores, labels, TWO)
    assert check.problem is None
    assert check.accuracy == pytest.approx(check.majority, abs=0.02)
    assert check.value > 0.75


def test_one_output_on_two_classes_is_told_as_what_it_is():
    labels = np.arange(200) % 2
    noise = np.random.default_rng(reseeded(3)).normal(size=200)
    (message,) = {check_teacher(noise, labels, TWO).problem.message}
    assert "its one output was read as the score of 'yes'" in message
    assert "swapped" not in message


def test_swapped_labels_are_called_so():
    labels = np.arange(200) % 2
    check = check_teacher(logits(labels, 2.0, seed=2)[:, ::-1], labels, TWO)
    assert check.problem.severity == "error"
    assert "labels may be swapped" in check.problem.message
    assert check.problem.code == "teacher.no-better-than-chance"
    assert f"{check.value:.3f}" in check.problem.message


def test_noise_is_stopped_about_19_times_in_20():
    labels = np.arange(300) % 2
    stopped = sum(
        check_teacher(logits(labels, 0.0, seed), labels, TWO).problem is not None
        for seed in range(200)
    )
    assert 172 <= stopped <= 199


def test_noise_within_groups_of_two_is_stopped_as_often():
    labels = np.arange(300) % 2
    groups = np.arange(300) // 2
    stopped = sum(
        check_teacher(logits(labels, 0.0, seed), labels, TWO, groups=groups).problem is not None
        for seed in range(200)
    )
    assert 172 <= stopped <= 199


def test_allow_weak_teacher_makes_it_a_warning():
    labels = np.arange(200) % 2
    check = check_teacher(np.zeros((200, 2)), labels, TWO, allow_weak_teacher=True)
    assert check.problem.severity == "warning" and check.value == 0.5


def test_one_logit_is_a_score_of_label_1():
    labels = np.arange(200) % 2
    scores = logits(labels, 2.0, seed=3)
    check = check_teacher((scores[:, 1] - scores[:, 0])[:, None], labels, TWO)
    assert check.problem is None and check.accuracy > 0.8


def test_auc_equals_the_share_of_pairs_in_order():
    labels, scores = np.array([0, 1, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.9, 0.0])
    pairs = [(p > n) + 0.5 * (p == n) for p in scores[labels == 1] for n in scores[labels == 0]]
    check = check_teacher(scores[:, None], labels, TWO)
    assert check.value == pytest.approx(np.mean(pairs))


def test_p_value_agrees_with_scipys_rank_sum_test():
    from scipy import stats

    labels = np.arange(80) % 2
    scores = np.round(logits(labels, 0.3, seed=5)[:, 1], 1)  # with ties
    check = check_teacher(scores[:, None], labels, TWO)
    expected = stats.mannwhitneyu(scores[labels == 1], scores[labels == 0], alternative="greater")
    assert check.p_above == pytest.approx(expected.pvalue, rel=1e-6)


@pytest.mark.parametrize("tied", [False, True])
def test_p_values_of_a_correlation_agree_with_scipys(tied):
    from scipy import stats

    from chatstill.preflight.teacher import _correlation

    generator = np.random.default_rng(1)
    scores, labels = generator.normal(size=40), generator.normal(size=40)
    if tied:
        scores, labels = np.round(scores), np.round(labels + scores)
    value, above, below = _correlation(scores, labels)
    for side, found in (("greater", above), ("less", below)):
        wanted = stats.pearsonr(scores, labels, alternative=side)
        assert (value, found) == pytest.approx((wanted.statistic, wanted.pvalue), rel=1e-9)


def test_ranking_compares_rows_of_one_group():
    generator = np.random.default_rng(reseeded(4))
    groups = np.repeat(np.arange(40), 10)
    labels = (np.arange(400) % 10 == 0).astype(int)
    scores = labels * 1.5 + generator.normal(size=400) + 30 * generator.normal(size=40)[groups]
    pooled = check_teacher(scores[:, None], labels, TWO)
    grouped = check_teacher(scores[:, None], labels, TWO, groups=groups)
    assert grouped.measure == "AUC within groups"
    assert abs(pooled.value - 0.5) < 0.1 and grouped.value > 0.75 and grouped.problem is None


def test_groups_that_hardly_ever_have_both_labels_are_left_out_of_account():
    """Ranked inside groups, most rows would count for nothing: here 8 of 200."""
    labels = np.repeat(np.arange(50) % 2, 4)
    labels[[0, 8]] = 1
    groups = np.repeat(np.arange(50), 4)
    check = check_teacher(logits(labels, 2.0, seed=1), labels, TWO, groups=groups)
    assert check.measure == "AUC"
    assert check.problem is None


def test_three_classes():
    labels = np.arange(150) % 3
    assert check_teacher(logits(labels, 1.5, 6, classes=3), labels, THREE).problem is None
    assert check_teacher(logits(labels, 0.0, 6, classes=3), labels, THREE).problem is not None
    turned = check_teacher(-logits(labels, 2.0, 6, classes=3), labels, THREE)
    assert turned.problem.code == "teacher.no-better-than-chance"


def test_regression_by_correlation():
    labels = np.linspace(0, 5, 100)
    noise = np.random.default_rng(reseeded(7)).normal(size=100)
    assert check_teacher((labels + noise)[:, None], labels, SCORE).problem is None
    assert check_teacher(noise[:, None], labels, SCORE).problem is not None
    assert check_teacher(np.ones((100, 1)), labels, SCORE).problem.severity == "error"
    assert "turned round" in check_teacher((noise - labels)[:, None], labels, SCORE).problem.message


def test_too_few_rows_to_tell_is_a_warning():
    labels = np.array([0, 1, 0, 1, 0])
    check = check_teacher(np.array([[1.0], [2.0], [3.0], [4.0], [3.5]]), labels, TWO)
    assert check.value > 0.5 and check.problem.severity == "warning"
    one_label = check_teacher(np.zeros((9, 2)), np.zeros(9), TWO)
    assert one_label.problem.severity == "warning"


def test_scores_that_are_no_numbers_and_rows_without_labels():
    labels = np.array([0.0, 1.0] * 50)
    scores = logits(labels.astype(int), 2.0, seed=8)
    broken = scores.copy()
    labels[5] = np.nan
    assert check_teacher(scores, labels, TWO).problem is None
    assert check_teacher(scores, labels, TWO).num_rows == 99
    for row, value in ((3, np.nan), (3, np.inf), (5, -np.inf)):  # row 5 has no label
        broken = scores.copy()
        broken[row] = value
        for allowed in (False, True):
            problem = check_teacher(broken, labels, TWO, allow_weak_teacher=allowed).problem
            assert problem.severity == "error" and "not finite" in problem.message
            assert "1 of 100 dev rows" in problem.message


def test_rows_are_spread_over_the_file_and_always_the_same():
    rows = sample_rows(10_000, None, 512)
    assert len(rows) == len(set(rows.tolist())) == 512 and (np.diff(rows) > 0).all()
    assert np.array_equal(rows, sample_rows(10_000, None, 512))
    share = (rows < 5000).mean()
    assert share == pytest.approx(0.5, abs=0.01)
    every_tenth = sample_rows(5120, None, 512)
    assert 0.4 < (every_tenth % 2).mean() < 0.6  # no comb through alternating labels
    assert sample_rows(7, None, 512).tolist() == list(range(7))


def test_groups_stay_whole_and_are_spread_over_the_file():
    groups = np.repeat([f"q{i}" for i in range(300)], 10)
    rows = sample_rows(3000, groups, 512)
    assert 500 < len(rows) <= 512 and (np.diff(rows) > 0).all()
    counts = np.unique(groups[rows], return_counts=True)[1]
    assert (counts == 10).all()
    assert 0.35 < (rows < 1500).mean() < 0.65


def test_uneven_and_giant_groups():
    sizes = np.random.default_rng(reseeded(0)).integers(1, 60, size=200)
    groups = np.random.default_rng(reseeded(1)).permutation(np.repeat(np.arange(200), sizes))
    rows = sample_rows(len(groups), groups, 512)
    assert 400 < len(rows) <= 512
    for group in np.unique(groups[rows]):
        assert (groups[rows] == group).sum() == (groups == group).sum()
    assert len(sample_rows(3000, np.repeat([0, 1], 1500), 512)) == 512


def test_no_global_generator_is_touched():
    np.random.seed(reseeded(5))  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    sample_rows(9000, np.arange(9000) // 9)
    check_teacher(np.zeros((90, 3)), np.arange(90) % 3, THREE)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_sets_of_labels():
    generator = np.random.default_rng(reseeded(3))
    labels = (generator.random((400, 3)) < [0.5, 0.1, 0.02]).astype(float)
    labels[0] = np.nan
    noise = generator.normal(size=labels.shape)
    tags = Labels("multi_label", ("a", "b", "c"))
    good = check_teacher(noise + np.nan_to_num(labels) * 2, labels, tags)
    assert good.problem is None and good.value > 0.85 and good.num_rows == 399
    constant = check_teacher(np.zeros_like(noise), labels, tags)
    assert constant.problem.code == "teacher.no-better-than-chance"
    assert (
        "below chance"
        in check_teacher(noise - np.nan_to_num(labels) * 2, labels, tags).problem.message
    )


def test_the_refusal_names_the_order_that_was_assumed_for_unnamed_outputs():
    labels = np.arange(200) % 2
    right = 6.0 * np.eye(2)[labels]
    turned = check_teacher(right[:, ::-1], labels, TWO, assumed="output 0 is no; data.labels")
    assert "very likely so. output 0 is no; data.labels" in turned.problem.message
    assert check_teacher(right, labels, TWO, assumed="output 0 is no").problem is None


@pytest.mark.parametrize("grouped", [False, True])
def test_a_network_below_chance_is_told_from_some_of_many_rows(grouped):
    """Some are enough, whole groups where there are any; the first rows alone would hold one label."""
    count = 4 * MOST_ROWS
    labels = np.tile([0.0, 1.0], count // 2) if grouped else np.repeat([0.0, 1.0], count // 2)
    groups = np.repeat(np.arange(count // 4), 4) if grouped else None
    right = np.stack([1 - labels, labels], axis=1)
    assert below_chance(right, labels, TWO, groups) == []
    (problem,) = below_chance(right[:, ::-1], labels, TWO, groups)
    assert problem.code == "evaluate.below-chance" and f"{MOST_ROWS} rows" in problem.message

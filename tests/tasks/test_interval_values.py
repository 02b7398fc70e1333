"""Bootstrap intervals: by group, paired, and the quick way equal to the slow one."""

import numpy as np
import pytest
from tests.draws import reseeded

from chatstill.tasks import get_task
from chatstill.tasks.intervals import bootstrap, paired_bootstrap

CHAT = get_task("chat")


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(reseeded(1))
    groups = np.repeat(np.arange(60), 5)
    labels = (np.arange(300) % 5 == 0).astype(float)
    good = generator.normal(size=300) + labels * 1.5
    weak = good + generator.normal(size=300) * 2
    return good[:, None], weak[:, None], labels, groups


@pytest.mark.parametrize("name", ["accuracy", "f1", "mrr", "map", "p@1", "r@2", "r5@1"])
def test_the_quick_way_equals_recounting(rows, name):
    good, weak, labels, groups = rows
    metric = CHAT.metric(name)
    order = np.random.default_rng(reseeded(0)).permutation(len(labels))
    good, weak, labels, groups = good[order], weak[order], labels[order], groups[order]

    def slow(scores, labels, groups):
        return CHAT.metrics(scores, labels, groups)[name]

    quick = bootstrap(metric, good, labels, groups, n=60, seed=reseeded(3))
    assert quick == pytest.approx(
        bootstrap(slow, good, labels, groups, n=60, seed=reseeded(3)), abs=1e-12
    )
    a = paired_bootstrap(metric, good, weak, labels, groups, n=30)
    assert a[0] == pytest.approx(slow(good, labels, groups) - slow(weak, labels, groups))
    assert a[1] <= a[0] <= a[2]


def test_an_interval_holds_the_value_and_is_repeatable(rows):
    good, weak, labels, groups = rows
    for name in ("accuracy", "auc", "mrr"):
        metric = CHAT.metric(name)
        low, high = bootstrap(metric, good, labels, groups, n=200, seed=reseeded(5))
        assert low < metric(good, labels, groups) < high
        assert (low, high) == bootstrap(metric, good, labels, groups, n=200, seed=reseeded(5))
        assert (low, high) != bootstrap(metric, good, labels, groups, n=200, seed=reseeded(6))
    difference, low, high = paired_bootstrap(CHAT.metric("mrr"), good, weak, labels, groups, n=500)
    assert 0 < low < difference < high
    assert paired_bootstrap(CHAT.metric("auc"), good, good, labels, groups, n=20) == (0, 0, 0)


def test_pairing_is_narrower_than_two_intervals(rows):
    good, _, labels, groups = rows
    near = good + np.random.default_rng(reseeded(2)).normal(size=good.shape) * 0.01
    metric = CHAT.metric("mrr")
    _, low, high = paired_bootstrap(metric, good, near, labels, groups, n=200)
    alone = bootstrap(metric, good, labels, groups, n=200)
    assert high - low < (alone[1] - alone[0]) / 2


def test_the_width_is_the_standard_error(rows):
    labels = np.arange(400) % 2
    scores = np.where(np.arange(400) % 5 == 0, 1 - labels, labels)[:, None] - 0.5
    low, high = bootstrap(get_task("sst2").metric("acc"), scores, labels, n=2000)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.8 * 0.2 / 400), rel=0.1)


def test_rows_of_one_group_are_drawn_together():
    groups = np.repeat(np.arange(20), 10)
    labels = np.ones(200)
    scores = np.where(groups % 2 == 0, 1.0, -1.0)[:, None]
    grouped = bootstrap(CHAT.metric("accuracy"), scores, labels, groups)
    single = bootstrap(CHAT.metric("accuracy"), scores, labels, None)
    assert grouped[1] - grouped[0] > 2 * (single[1] - single[0])


def test_resamples_without_a_value_are_left_out():
    labels = np.array([1.0, 0, 0, 0])
    scores = np.array([[2.0], [1], [0], [3]])
    low, high = bootstrap(CHAT.metric("auc"), scores, labels, None, n=200)
    assert 0 <= low <= high <= 1
    low, high = bootstrap(CHAT.metric("auc"), scores, np.zeros(4), None, n=5)
    assert np.isnan(low) and np.isnan(high)
    assert bootstrap(CHAT.metric("f1"), -scores - 9, np.zeros(4), None, n=5) == (0, 0)


@pytest.mark.parametrize("name", ["mrpc", "cola", "stsb"])
def test_glue_metrics_can_be_resampled(name):
    task = get_task(name)
    generator = np.random.default_rng(reseeded(0))
    labels = generator.integers(0, 2, size=80)
    scores = generator.normal(size=(80, 1)) + labels[:, None]
    for key in task.row.metrics:
        low, high = bootstrap(task.metric(key), scores, labels, n=50)
        assert low < task.metrics(scores, labels, None)[key] < high

"""The order of rows: complete, a function of its arguments, balanced, cheap."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.draws import reseeded
from tests.found import refused

from chatstill.data.sampler import BatchPlan, eval_batches, largest_micro_batch
from chatstill.errors import UserError

plans = st.tuples(
    st.lists(st.integers(1, 60), min_size=4, max_size=300),
    st.integers(1, 9),  # batch size
    st.integers(1, 4),  # processes
    st.integers(1, 3),  # accumulation
    st.integers(0, 2**31),
)


def flat(epoch):
    return [micro for step in epoch for micro in step]


def cost(lengths, batches):
    return sum(len(rows) * int(lengths[rows].max()) for rows in batches)


@settings(max_examples=120, deadline=None)
@given(plans, st.integers(0, 5))
def test_every_row_once(arguments, number):
    lengths, size, world, accumulation, seed = arguments
    plan = BatchPlan(np.array(lengths), size, world, accumulation, seed)
    epoch = plan.epoch(number)
    assert len(epoch) == len(list(epoch)) == plan.steps_per_epoch
    assert sorted(np.concatenate(flat(epoch)).tolist()) == list(range(len(lengths)))
    assert all(len(step) == accumulation for step in epoch[:-1])
    assert 1 <= len(epoch[-1]) <= accumulation
    batches = flat(epoch)
    assert all(len(rows) >= min(size * world, len(lengths)) for rows in batches)
    assert max(map(len, batches)) - min(map(len, batches)) <= 1 or len(batches) < size * world


@settings(max_examples=120, deadline=None)
@given(plans)
def test_shares_of_the_processes(arguments):
    lengths, size, world, accumulation, seed = arguments
    lengths = np.array(lengths)
    plan = BatchPlan(lengths, size, world, accumulation, seed)
    for rows in flat(plan.epoch(0)):
        shares = [plan.share(rows, rank) for rank in range(world)]
        assert sorted(np.concatenate(shares).tolist()) == sorted(rows.tolist())
        counts = [len(share) for share in shares]
        assert min(counts) >= 1 and max(counts) - min(counts) <= 1
        longest = [int(lengths[share].max()) for share in shares]
        assert max(longest) == int(lengths[rows].max())
        # Nobody pads beyond the world-th longest row but those who hold a longer one.
        assert min(longest) >= np.sort(lengths[rows])[-world]


@settings(max_examples=60, deadline=None)
@given(plans, st.integers(0, 3))
def test_processes_change_nothing(arguments, number):
    lengths, size, world, accumulation, seed = arguments
    lengths = np.array(lengths)
    several = BatchPlan(lengths, size, world, accumulation, seed).epoch(number)
    one = BatchPlan(lengths, size * world, 1, accumulation, seed).epoch(number)
    assert len(several) == len(one)
    for left, right in zip(flat(several), flat(one), strict=True):
        assert np.array_equal(left, right)


def test_epochs_and_seeds_differ_and_repeat():
    lengths = np.random.default_rng(reseeded(0)).integers(3, 40, 500)
    plan = BatchPlan(lengths, 8, seed=reseeded(1))
    first, second = ([tuple(rows) for rows in flat(plan.epoch(number))] for number in (0, 1))
    assert len(set(map(frozenset, first)) & set(map(frozenset, second))) < 3
    assert [tuple(rows) for rows in flat(BatchPlan(lengths, 8, seed=reseeded(1)).epoch(0))] == first
    assert [tuple(rows) for rows in flat(BatchPlan(lengths, 8, seed=reseeded(2)).epoch(0))] != first
    assert [tuple(rows) for rows in flat(plan.epoch(0))] == first


def test_batches_come_in_random_order():
    lengths = np.sort(np.random.default_rng(reseeded(0)).integers(3, 60, 4000))
    plan = BatchPlan(lengths, 16)
    orders = [[lengths[rows].max() for rows in flat(plan.epoch(number))] for number in range(4)]
    for order in orders:
        assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.25
        assert 0.3 < np.mean(np.diff(order) > 0) < 0.6  # not rising stretch by stretch
    assert len({int(np.argmax(order)) for order in orders}) > 1


def test_a_remainder_makes_short_batches_larger_and_no_long_one():
    lengths = np.random.default_rng(reseeded(0)).integers(3, 600, 4011)
    batches = flat(BatchPlan(lengths, 16).epoch(0))
    larger = [rows for rows in batches if len(rows) == 17]
    assert len(larger) == 4011 % 16 and {len(rows) for rows in batches} == {16, 17}
    assert max(lengths[rows].max() for rows in larger) < 100


@pytest.mark.parametrize("num_rows", [1, 7, 8, 9, 12, 15, 16, 23, 31, 100])
def test_the_largest_micro_batch_is_known_without_laying_it_out(num_rows):
    batches = flat(BatchPlan(np.arange(num_rows), 8).epoch(0))
    assert largest_micro_batch(num_rows, 8) == max(map(len, batches))


def test_rows_that_do_not_divide_go_to_the_processes_with_the_shortest():
    plan = BatchPlan(np.arange(10), 4, 4)
    shares = [plan.share(np.arange(10), rank).tolist() for rank in range(4)]
    assert shares == [[9, 5], [8, 4], [7, 3, 0], [6, 2, 1]]


def test_steps_are_found_without_replay():
    plan = BatchPlan(np.arange(1, 101), 4, 2, 3, seed=reseeded(5))
    assert plan.steps_per_epoch == 4
    expected = [(number, step) for number in range(3) for step in plan.epoch(number)]
    for number in (11, 0, 4, 7):
        epoch, step = BatchPlan(np.arange(1, 101), 4, 2, 3, seed=reseeded(5)).step(number)
        assert epoch == expected[number][0]
        assert all(map(np.array_equal, step, expected[number][1]))


def test_padding_is_small():
    generator = np.random.default_rng(reseeded(0))
    lengths = np.clip(generator.lognormal(2.3, 0.7, 20_000), 3, 66).astype(np.int32)
    plan = BatchPlan(lengths, 32)
    assert cost(lengths, flat(plan.epoch(0))) < 1.08 * lengths.sum()


def test_padding_is_small_on_real_lengths():
    where = (place / "shared/data/glue/SST-2/train.tsv" for place in Path(__file__).parents)
    path = next((path for path in where if path.exists()), None)
    if path is None:
        pytest.skip("SST-2 is not here")
    texts = path.read_text(encoding="utf-8").split("\n")[1:-1]
    lengths = np.array([len(text.split()) + 2 for text in texts])  # its text is split already
    for number in (0, 3):
        batches = flat(BatchPlan(lengths, 32, seed=reseeded(7)).epoch(number))
        assert cost(lengths, batches) < 1.08 * lengths.sum()


def test_global_generators_are_untouched():
    def states():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002

    before = states()
    plan = BatchPlan(np.arange(1, 200), 4, 2)
    plan.share(plan.epoch(3)[0][0], 1)
    assert states() == before


def test_millions_of_rows_are_planned_at_once():
    lengths = np.random.default_rng(reseeded(0)).integers(3, 128, 1_000_000, dtype=np.int32)
    epoch = BatchPlan(lengths, 8, 4).epoch(0)
    assert len(epoch) == 31_250 and len(epoch[31_249][0]) == 32


def test_too_few_rows():
    with refused("data.too-few-rows", "3 rows", "4 processes"):
        BatchPlan(np.ones(3), 2, 4)
    with pytest.raises(UserError, match="no rows"):
        BatchPlan(np.ones(0), 2)
    assert [len(rows) for rows in flat(BatchPlan(np.ones(3), 8).epoch(0))] == [3]


def test_an_epoch_is_a_sequence():
    epoch = BatchPlan(np.arange(40), 4).epoch(0)
    assert np.array_equal(epoch[-1][0], epoch[9][0])
    assert len(epoch[2:5]) == 3
    for wrong in (10, -11):
        with pytest.raises(IndexError):
            epoch[wrong]


@given(st.lists(st.integers(1, 9), max_size=50), st.integers(1, 8))
def test_evaluation_order(lengths, size):
    lengths = np.array(lengths, dtype=np.int32)
    batches = eval_batches(lengths, size)
    order = np.concatenate([*batches, np.empty(0, int)]).astype(int)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert (np.diff(lengths[order]) <= 0).all()
    assert all(len(rows) == size for rows in batches[:-1])
    same = np.diff(lengths[order]) == 0
    assert (np.diff(order)[same] > 0).all()  # equal lengths in the order of rows

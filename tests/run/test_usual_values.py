"""What a run takes where its file says nothing: by what is trained, how wide, and how many rows."""

import pytest

from chatstill.config.schema import RunConfig
from chatstill.data.sampler import steps_per_epoch
from chatstill.errors import Problem, UserError
from chatstill.models.networks import networks
from chatstill.run.settling import start_of
from chatstill.run.usual_values import (
    LEAST_STEPS,
    LOOKS,
    MANY_ROWS,
    count_rows,
    far_values,
    usual_epochs,
    usual_rate,
    usual_values,
    with_usual,
)

WIDTHS = (1024, 768, 512, 384, 312, 256, 128, 64)


@pytest.mark.parametrize("start", ["whole", "copied", "random"])
def test_narrower_networks_take_higher_rates(start):
    rates = [usual_rate(width, start) for width in WIDTHS]
    assert rates == sorted(rates) and rates[0] < rates[-1] <= 2e-3


def test_random_weights_take_more_than_copies_and_these_more_than_a_whole_network():
    for width in WIDTHS:
        assert (
            usual_rate(width, "whole") < usual_rate(width, "copied") < usual_rate(width, "random")
        )


def test_an_lstm_has_a_rate_of_its_own_at_any_width():
    for width in WIDTHS:
        assert usual_rate(width, "random", 3e-3) == 3e-3
        assert usual_rate(width, "copied", 3e-3) == pytest.approx(1e-3)
        assert usual_rate(width, "whole", 3e-3) == pytest.approx(5e-4)
    assert {name for name, one in networks().items() if one.rate} == {"bilstm", "ltd"}
    assert "an LSTM on word vectors" in usual_values(128, "random", 10, own=3e-3).why_rate


def test_a_network_without_a_width_is_taken_for_a_middling_one():
    assert usual_rate(None, "copied") == usual_rate(384, "copied")
    assert "unknown width" in usual_values(None, "copied", 10).why_rate


def test_few_rows_are_read_more_often():
    for start in ("whole", "copied"):
        epochs = [usual_epochs(rows, start) for rows in (100, 5_000, 30_000, 10**7)]
        assert epochs == sorted(epochs, reverse=True) and epochs[-1] == 3


def test_rows_are_counted_as_far_as_they_matter():
    assert count_rows(range(7)) == 7
    endless = iter(int, 1)
    assert count_rows(endless) == MANY_ROWS

    def faulty():
        yield 1
        raise UserError("line 2")

    assert count_rows(faulty()) == MANY_ROWS, "the survey reports it"


def test_large_batches_of_many_rows_change_neither_epochs_nor_looks():
    """No more than MANY_ROWS are counted: their steps are not known, and not few."""
    for batch in (32, 1024, 4096):
        found = usual_values(384, "whole", MANY_ROWS, batch)
        assert (found.epochs, found.eval_steps) == (
            usual_values(384, "whole", MANY_ROWS).epochs,
            None,
        )


@pytest.mark.parametrize(
    ("start", "read", "told"),
    [
        ("whole", 12_000_000, True),
        ("whole", 3_000_000_000, False),
        ("whole", None, False),  # a published one
        ("copied", 12_000_000, False),  # of a network that was fine-tuned since
    ],
)
def test_a_network_that_has_read_little_is_told_with_a_rate_to_compare(start, read, told):
    found = usual_values(256, start, 1000, read=read)
    assert found.learning_rate == usual_values(256, start, 1000).learning_rate
    assert ("12,000,000 tokens" in found.why_rate and "0.0003" in found.why_rate) is told


def test_what_stands_in_the_file_holds():
    usual = usual_values(384, "copied", 1000)
    own = RunConfig(learning_rate=0.5, num_train_epochs=7, warmup_steps=3)
    assert with_usual(own, usual) == (own, {})
    settled, given = with_usual(RunConfig(), usual)
    assert (settled.rate, settled.epochs, settled.warmup_percentage) == (1e-4, 10, 0.1)
    assert set(given) == {"learning_rate", "num_train_epochs", "warmup_percentage"}


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (2e-5, "5 times below"),
        (1e-4, None),
        (4e-4, "4 times above"),
        (1e-8, "10,000 times below"),
        (3e-5, None),
        (3e-4, None),
    ],
)
def test_a_rate_far_from_the_usual_is_told(rate, said):
    usual = usual_values(384, "copied", 1000)
    found = far_values(RunConfig(learning_rate=rate), usual)
    assert [p.place for p in found] == (["learning_rate"] if said else [])
    for problem in found:
        assert isinstance(problem, Problem) and problem.severity == "warning"
        assert said in problem.message and "384 wide" in problem.message
        assert "Write 0.0001" in problem.hint


def test_few_epochs_are_told_where_epochs_decide():
    usual = usual_values(384, "copied", 1000)
    config = RunConfig(num_train_epochs=2)
    (problem,) = far_values(config, usual)
    assert problem.place == "num_train_epochs" and "1,000 rows" in problem.message
    assert far_values(config.model_copy(update={"max_steps": 9}), usual) == []
    (one,) = far_values(RunConfig(num_train_epochs=1), usual)
    assert "1 epochs" not in one.message and f"{usual.epochs:g} epochs" in one.message
    assert "1 rows" not in usual_values(384, "copied", 1).why_epochs


@pytest.mark.parametrize(("rows", "batch"), [(1, 32), (60, 32), (60, 8), (600, 32)])
def test_few_rows_are_read_until_there_are_steps_enough(rows, batch):
    usual = usual_values(384, "copied", rows, batch)
    of_epoch = max(1, rows // batch)
    assert LEAST_STEPS <= usual.epochs * of_epoch < LEAST_STEPS + of_epoch
    assert "at least 200 steps" in usual.why_epochs
    assert usual.epochs * of_epoch / usual.eval_steps <= LOOKS + 1, "not after every step"
    settled, given = with_usual(RunConfig(), usual)
    assert settled.eval_steps == usual.eval_steps and "eval_steps" in given
    own = with_usual(RunConfig(eval_steps=3), usual)
    assert own[0].eval_steps == 3 and "eval_steps" not in own[1]
    assert with_usual(RunConfig(num_train_epochs=4), usual)[0].eval_steps is None


def test_rows_enough_are_looked_at_every_epoch():
    usual = usual_values(384, "copied", 1000)
    assert (usual.epochs, usual.eval_steps) == (10, None)


def test_epochs_are_not_told_where_steps_decide():
    settled, given = with_usual(RunConfig(max_steps=9), usual_values(384, "copied", MANY_ROWS))
    assert not {"num_train_epochs", "eval_steps"} & given.keys()
    assert settled.epochs == 3, "without effect"


@pytest.mark.parametrize(
    ("notes", "verb", "expected"),
    [
        (["folder: 39 tensors loaded, 4 of 4 layers"], "teach", "whole"),
        (["folder: 39 tensors loaded", "cut to its first 2 layers"], "teach", "copied"),
        (["random weights (39 tensors)"], "teach", "random"),
        (["the student starts as the pre-trained model's layers [0]"], "distill", "copied"),
        (["the student starts at random: as asked"], "distill", "random"),
    ],
)
def test_the_start_of_a_network(notes, verb, expected):
    assert start_of(notes, verb) == expected


@pytest.mark.parametrize(
    ("rows", "batch", "accumulation"), [(60, 8, 4), (100, 16, 4), (300, 16, 8)]
)
def test_few_rows_come_to_as_many_steps_under_accumulation(rows, batch, accumulation):
    """The last step of an epoch may hold fewer micro-batches, and is a step."""
    usual = usual_values(384, "copied", rows, batch, accumulation)
    steps = usual.epochs * steps_per_epoch(rows, batch, accumulation)
    assert LEAST_STEPS <= steps <= 1.1 * LEAST_STEPS
    assert usual.eval_steps is not None and steps / usual.eval_steps <= LOOKS + 1

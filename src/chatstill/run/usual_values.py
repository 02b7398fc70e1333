"""Values for keys that a file leaves out: by what is trained, how wide it is, and the number of rows.

A key that stands in the file holds as it is. The rules come from `benchmarks/defaults.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Literal

from ..data.sampler import steps_per_epoch
from ..errors import Problem, UserError
from ..figures import counted, epochs_text

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from ..config.schema import RunConfig

RULES = 3  # in a run's fingerprint: other rules make another run of the same file
Start = Literal["whole", "copied", "random"]

# AdamW moves every weight by about the learning rate a step; in narrow layers weights are larger, and an
# output is the sum of fewer of them, so that a larger step does as much.
WIDTHS = ((1024, 2e-5), (768, 5e-5), (512, 8e-5), (320, 1e-4), (192, 2e-4), (96, 5e-4), (0, 1e-3))
RANDOM, MOST_RATE = 3, 2e-3  # nothing was learnt that a large step could destroy
HIGHER = 3  # of a network that has read few tokens: on titles the best, on dialogues too much
FEW_TOKENS = (
    1_000_000_000  # BERT had read 137 of them; after 0.01 the best rate was that of random weights
)
WHOLE = 0.5  # a whole pretrained network: deeper, and it has more to lose
UNKNOWN_WIDTH = 384
EPOCHS = ((2_000, 10), (15_000, 8), (50_000, 4))
EPOCHS_WHOLE = ((2_000, 8), (15_000, 5))
MANY_ROWS = 50_000  # from here on
EPOCHS_OF_MANY = 3
# Ten epochs of 60 rows are twenty steps. The best on dev is kept, so that more of them do no harm.
LEAST_STEPS = 200
LOOKS = 20  # at dev in such a run, whose epochs are a step or a few
WARM_UP = 0.1
FAR = 4.0  # a rate that is a quarter of the usual one, or four times it
STARTS: dict[Start, str] = {
    "whole": "a whole pretrained network",
    "copied": "layers that were trained before",
    "random": "random weights",
}


# What the studies found, by whether the rate was too low (benchmarks/results/defaults.md, rnn_rates.md).
COST_OF_RATE = {
    True: "a quarter of it cost up to 2.6 points in the study of defaults",
    False: "four times it cost students of random weights 9 to 57 points in the study of defaults",
}
COST_OF_RATE_OF_LSTM = {
    True: "a quarter of it cost a BiLSTM up to 4 points on dev, and was better on one of four sets",
    False: "four times it cost a BiLSTM up to 1.2 points on dev",
}


@dataclass(frozen=True)
class Usual:
    """What a run would take where its file says nothing, and why.

    Attributes:
        learning_rate: The highest of the schedule.
        why_rate: In words for the plan.
        epochs: Passes over the training rows.
        why_epochs: In words for the plan.
        eval_steps: Steps between evaluations where an epoch is too short for one; else None.
        cost: What another rate has cost, by whether it was too low.
    """

    learning_rate: float
    why_rate: str
    epochs: float
    why_epochs: str
    eval_steps: int | None = None
    cost: Mapping[bool, str] = field(default_factory=lambda: COST_OF_RATE)


def usual_rate(width: int | None, start: Start, own: float | None = None) -> float:
    """The learning rate for AdamW and batches around 32 rows.

    Args:
        width: Of the hidden states; None where the network names none.
        start: What is trained.
        own: From random weights, where the kind of network names it; then the width does not count.
    """
    wide = UNKNOWN_WIDTH if width is None else width
    rate = next(rate for least, rate in WIDTHS if wide >= least)
    if own is not None:
        rate = own / RANDOM
    if start == "random":
        return own or min(RANDOM * rate, MOST_RATE)
    return rate * WHOLE if start == "whole" else rate


def usual_epochs(num_rows: int, start: Start) -> float:
    """Epochs for a number of training rows."""
    bands = EPOCHS_WHOLE if start == "whole" else EPOCHS
    return float(next((epochs for most, epochs in bands if num_rows < most), EPOCHS_OF_MANY))


def usual_values(
    width: int | None,
    start: Start,
    num_rows: int,
    batch: int = 32,
    accumulation: int = 1,
    own: float | None = None,
    read: int | None = None,
) -> Usual:
    """Both, with their reasons.

    Args:
        width: Of the hidden states; None where the network names none.
        start: What is trained.
        num_rows: Training rows, counted up to ``MANY_ROWS``.
        batch: Rows of a micro-batch, of all processes.
        accumulation: Micro-batches of an optimizer step.
        own: See ``usual_rate``.
        read: Tokens that the network has seen since it was random; None: not known, as of published ones.
    """
    wide = "of unknown width" if width is None else f"{width} wide"
    kind = wide if own is None else "an LSTM on word vectors"
    rows = counted(num_rows, "row") if num_rows < MANY_ROWS else f"{MANY_ROWS:,} rows or more"
    of_epoch, looks = steps_per_epoch(num_rows, batch, accumulation), None
    epochs = usual_epochs(num_rows, start)
    # Of many rows no more are counted, so that their steps are not known: they are enough.
    if num_rows < MANY_ROWS and epochs * of_epoch < LEAST_STEPS:
        epochs = float(-(-LEAST_STEPS // of_epoch))
        rows += f" (at least {LEAST_STEPS} steps)"
        looks = max(of_epoch, LEAST_STEPS // LOOKS)
    rate = float(f"{usual_rate(width, start, own):.3g}")
    cost = COST_OF_RATE if own is None else COST_OF_RATE_OF_LSTM
    why_rate = f"for {STARTS[start]}, {kind}"
    if start == "whole" and read is not None and read < FEW_TOKENS:
        why_rate += f"; it has read {read:,} tokens alone: compare {HIGHER * rate:g} on dev"
    return Usual(rate, why_rate, epochs, f"for {rows}", looks, cost)


def count_rows(rows: Iterable[object]) -> int:
    """Rows of a file, counted up to ``MANY_ROWS``; a faulty file is the survey's to report."""
    try:
        return sum(1 for _ in islice(rows, MANY_ROWS))
    except UserError:
        return MANY_ROWS


def width_of(config: PretrainedConfig) -> int | None:
    """Of the hidden states; None where the config names none."""
    for name in ("hidden_size", "d_model", "dim"):
        value = getattr(config, name, None)
        if isinstance(value, int):
            return value
    return None


def with_usual(config: RunConfig, usual: Usual) -> tuple[RunConfig, dict[str, tuple[object, str]]]:
    """The configuration with learning rate, epochs and warm-up, where they were left out.

    Args:
        config: As it was read.
        usual: What this run takes.

    Returns:
        The configuration, and by key the value and why it was taken.
    """
    given: dict[str, tuple[object, str]] = {}
    if config.learning_rate is None:
        given["learning_rate"] = usual.learning_rate, usual.why_rate
    if config.num_train_epochs is None and config.max_steps <= 0:
        given["num_train_epochs"] = usual.epochs, usual.why_epochs
        if usual.eval_steps is not None and config.eval_steps is None:
            given["eval_steps"] = usual.eval_steps, f"where dev is looked at about {LOOKS} times"
    if config.warmup_steps is None and config.warmup_percentage is None:
        given["warmup_percentage"] = WARM_UP, "a tenth of the training"
    values = {key: value for key, (value, _) in given.items()}
    if config.num_train_epochs is None:  # without effect where max_steps decides
        values.setdefault("num_train_epochs", usual.epochs)
    return config.model_copy(update=values), given


def far_values(config: RunConfig, usual: Usual) -> list[Problem]:
    """A warning for each value of the file that lies far from what such runs need.

    Args:
        config: As it was read, before ``with_usual``.
        usual: What this run would have taken.
    """
    problems = []
    rate, wanted = config.learning_rate, usual.learning_rate
    if rate is not None and (rate * FAR <= wanted or rate >= FAR * wanted):
        low = rate < wanted
        times = wanted / rate if low else rate / wanted
        message = (
            f"{rate:g} is {times:,.0f} times {'below' if low else 'above'} what is usual "
            f"{usual.why_rate}: {usual.cost[low]}"
        )
        hint = f"Write {wanted:g}, or leave the key out."
        problems.append(
            Problem("learning_rate", message, hint, "warning", code="config.learning-rate-unusual")
        )
    epochs = config.num_train_epochs
    if epochs is not None and config.max_steps <= 0 and epochs * 2 < usual.epochs:
        message = (
            f"{epochs:g}, where {epochs_text(usual.epochs)} would be usual {usual.why_epochs}: "
            f"{COST_OF_EPOCHS}"
        )
        hint = f"Write {usual.epochs:g}, or leave the key out."
        problems.append(
            Problem("num_train_epochs", message, hint, "warning", code="config.epochs-few")
        )
    return problems


COST_OF_EPOCHS = (
    "in the study of defaults 2 epochs in place of 8 cost 4 points on average, up to 13"
)

"""Short-hand for the rows that the data tests make."""

from chatstill.tasks.base import Example


def make_example(row, text_a, text_b=None, label=None, group=None):
    return Example(f"train-{row}", row + 1, text_a, text_b, label, group)

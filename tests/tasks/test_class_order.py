"""The order of class names that nobody listed: the same in every process."""

import os
import subprocess
import sys

import pytest

from chatstill.tasks.tabular_found import in_order


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["2", "10", "1"], ("1", "2", "10")),
        (["1", "01", "2", "001"], ("001", "01", "1", "2")),
        (["0", "-0", "1"], ("-0", "0", "1")),
        (["1.0", "2", "1"], ("1", "2")),
        (["1.0", "1", "x"], ("1", "x")),
        (["1.0", "x"], ("1.0", "x")),
        (["0.5", "0.50", "0.25"], ("0.25", "0.5", "0.50")),
        (["b", "a"], ("a", "b")),
    ],
)
def test_numbers_go_by_their_value_and_names_of_one_value_by_their_text(names, order):
    assert in_order(names) == in_order(reversed(names)) == order


def test_the_order_does_not_hang_on_the_seed_of_hashes():
    code = (
        "from chatstill.tasks.tabular_found import in_order as o; print(o({'1', '01', '001', '2'}))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2, 5)
    }
    assert told == {"('001', '01', '1', '2')\n"}

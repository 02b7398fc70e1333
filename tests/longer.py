"""Values of a parameter of which most repeat at length what the first shows: for ``make test-all``."""

from collections.abc import Iterable
from typing import Any

import pytest


def longer(values: Iterable[Any], keep: int = 1) -> list[Any]:
    """The first ``keep`` values as they are, the others marked ``slow``."""
    return [
        value
        if number < keep
        else pytest.param(
            *(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow
        )
        for number, value in enumerate(values)
    ]

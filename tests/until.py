"""Waits for what other processes or threads do and give no sign of."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], seconds: float = 60, what: str = "it") -> None:
    """Asks again and again; an assertion fails where the answer is no for too long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come about within {seconds} s"
        time.sleep(0.005)

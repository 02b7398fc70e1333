"""How many cases a test over made-up inputs tries: hundreds by default, more with CHATSTILL_FUZZ.

``make fuzz`` sets it to a factor and draws new cases each time; otherwise they are always the same, or the
same for each CHATSTILL_TEST_SEED.
"""

import os
from collections import Counter

from hypothesis import HealthCheck, settings

from .draws import SEED

FACTOR = float(os.environ.get("CHATSTILL_FUZZ", "0"))
FIXED = not FACTOR and not SEED
TRIED: Counter[str] = Counter()


def cases(count: int, many: int | None = None) -> settings:
    """Settings for ``count`` cases, or for ``make fuzz``: ``many`` (default 40 times) times the factor."""
    large = (40 * count if many is None else many) * FACTOR
    return settings(
        max_examples=max(1, round(large)) if FACTOR else count,
        deadline=None,
        derandomize=FIXED,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def tried(kind: str) -> None:
    """Counts one case; the last line of a test run says how many there were."""
    TRIED[kind] += 1

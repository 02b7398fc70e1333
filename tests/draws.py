"""The seed of everything that tests draw, in one place: CHATSTILL_TEST_SEED=1 draws all of it anew.

No test's outcome may hang on what is drawn: `make test-matrix` runs them under another seed as well. A test
draws from generators that start at ``reseeded(number)``, and gives a run the seed ``reseeded(number)``.
"""

import os

SEED = int(os.environ.get("CHATSTILL_TEST_SEED", "0"))
APART = 10_007  # between two values of SEED; more than any number that tests give


def reseeded(number: int = 0) -> int:
    """A seed: the number itself, or another one for each CHATSTILL_TEST_SEED."""
    return number + APART * SEED

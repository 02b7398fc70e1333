"""What always saying one piece finds at the held-out positions."""

import numpy as np
import pytest

from chatstill.data.blocks import Blocks
from chatstill.data.masking import Masking, mask_rows, row_generator
from chatstill.evaluate.masked import Guess, best_guess

ROWS = [[2, 5, 6, 6, 3], [2, 6, 6, 7, 9, 3], [2, 8, 3]]
MASKING = Masking(mask_id=4, share=0.5, special=np.array([n < 5 for n in range(10)]))


def blocks():
    return Blocks.in_memory([np.array(row, np.int32) for row in ROWS], "right")


def test_of_next_tokens_by_hand():
    """5 6 6 [3], 6 6 7 9 [3], 8 [3]: six stands there four times in eleven, [3] three times."""
    assert best_guess(blocks(), None, pad_token_id=0) == Guess(6, 4, 11)


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_of_masked_tokens_it_is_the_commonest_of_those_that_are_drawn(batch_size):
    drawn = []
    for number, row in enumerate(ROWS):
        ids = np.array([row], np.int64)
        draws = [row_generator("held out", number)]
        targets = mask_rows(ids, np.ones_like(ids), draws, MASKING)[1]
        drawn += [target for target in targets[0].tolist() if target >= 0]
    best = max(sorted({*drawn}), key=drawn.count)
    found = best_guess(blocks(), MASKING, pad_token_id=0, batch_size=batch_size)
    assert found == Guess(best, drawn.count(best), len(drawn))


def test_nothing_is_guessed_where_nothing_is_predicted():
    alone = Blocks.in_memory([np.array([2], np.int32)], "right")
    assert best_guess(alone, None, pad_token_id=0) is None

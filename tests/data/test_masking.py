"""Masked tokens: shares, the draws of each row by itself, and the same by plain loops."""

import numpy as np
import pytest
from tests.draws import reseeded

from chatstill.data.masking import NOT_COUNTED, Masking, mask_rows, row_generator

MASK, PIECES, SPECIAL = 4, 40, (0, 1, 2, 3, 4)
RULE = Masking(MASK, np.isin(np.arange(PIECES), SPECIAL))


def rows(lengths, width=None, left=False):
    """Rows ``[CLS] … [SEP]`` of ordinary tokens, padded."""
    draws = np.random.default_rng(reseeded(1))
    width = width or max(lengths)
    ids, valid = np.zeros((len(lengths), width), np.int64), np.zeros((len(lengths), width), bool)
    for row, length in enumerate(lengths):
        text = [2, *draws.integers(5, PIECES, length - 2), 3]
        place = slice(width - length, width) if left else slice(0, length)
        ids[row, place], valid[row, place] = text, True
    return ids, valid


def generators(count, epoch=0, seed=7):
    return [row_generator(seed, epoch, row, "masking") for row in range(count)]


def by_loops(ids, valid, draws):
    """The same with a loop over positions."""
    read, targets = ids.tolist(), [[NOT_COUNTED] * ids.shape[1] for _ in ids]
    ordinary = [piece for piece in range(PIECES) if piece not in SPECIAL]
    for row, generator in enumerate(draws):
        places = [
            at for at in range(ids.shape[1]) if valid[row, at] and int(ids[row, at]) not in SPECIAL
        ]
        if not places:
            continue
        number = max(1, round(0.15 * len(places)))
        chosen = sorted(generator.choice(places, number, replace=False).tolist())
        kinds = generator.random(number).tolist()
        others = generator.integers(len(ordinary), size=number).tolist()
        for at, kind, other in zip(chosen, kinds, others, strict=True):
            targets[row][at] = int(ids[row, at])
            if kind < 0.8:
                read[row][at] = MASK
            elif kind < 0.9:
                read[row][at] = ordinary[other]
    return read, targets


@pytest.mark.parametrize("left", [False, True])
def test_it_is_what_plain_loops_give(left):
    ids, valid = rows([2, 3, 9, 40, 128, 64], left=left)
    before = ids.copy()
    read, targets = mask_rows(ids, valid, generators(6), RULE)
    wanted = by_loops(ids, valid, generators(6))
    assert (read.tolist(), targets.tolist()) == wanted
    assert (ids == before).all()


def test_shares_are_15_percent_and_80_10_10():
    ids, valid = rows([130] * 400)
    read, targets = mask_rows(ids, valid, generators(400), RULE)
    counted = targets != NOT_COUNTED
    assert (counted.sum(1) == round(0.15 * 128)).all()
    masked, same = read[counted] == MASK, read[counted] == targets[counted]
    assert masked.mean() == pytest.approx(0.8, abs=0.02)
    # A token drawn at random is the old one in 1 of 35 cases.
    assert same.mean() == pytest.approx(0.1 + 0.1 / 35, abs=0.02)
    assert (read[~counted] == ids[~counted]).all()


def test_special_tokens_and_padding_are_never_taken_nor_put_in():
    ids, valid = rows([2, 20, 33])
    ids[1, 5] = 1  # an unknown token inside the text
    for epoch in range(200):
        read, targets = mask_rows(ids, valid, generators(3, epoch), RULE)
        assert (targets[~valid] == NOT_COUNTED).all() and (read[~valid] == ids[~valid]).all()
        assert not set(targets[targets >= 0].tolist()) & set(SPECIAL)
        changed = read[read != ids]
        assert not set(changed.tolist()) & ({*SPECIAL} - {MASK})
        assert (targets[0] == NOT_COUNTED).all()  # no text between its special tokens


def test_a_row_draws_the_same_in_any_batch_and_another_set_in_the_next_epoch():
    ids, valid = rows([20, 50, 31, 64])
    read, targets = mask_rows(ids, valid, generators(4), RULE)
    order = [2, 0]
    some = mask_rows(ids[order], valid[order], [generators(4)[at] for at in order], RULE)
    assert (some[0] == read[order]).all() and (some[1] == targets[order]).all()
    narrow = mask_rows(ids[:1, :20], valid[:1, :20], generators(1), RULE)
    assert (narrow[1] == targets[:1, :20]).all()
    other = mask_rows(ids, valid, generators(4, epoch=1), RULE)
    assert (other[1] != targets).any(1).all()
    seeded = mask_rows(ids, valid, generators(4, seed=8), RULE)
    assert (seeded[1] != targets).any(1).all()


def test_the_shortest_text_has_one_target():
    ids, valid = rows([3, 4])
    _, targets = mask_rows(ids, valid, generators(2), RULE)
    assert (targets != NOT_COUNTED).sum(1).tolist() == [1, 1]

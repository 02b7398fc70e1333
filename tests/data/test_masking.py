"""Masked tokens: shares, the draws of each row by itself, and the same by plain loops."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from tests.draws import reseeded

from chatstill.data.masking import (
    NOT_COUNTED,
    Masking,
    drawn_over_batch,
    mask_rows,
    row_generator,
    words_of,
)

MASK, PIECES, SPECIAL = 4, 40, (0, 1, 2, 3, 4)
RULE = Masking(MASK, np.isin(np.arange(PIECES), SPECIAL))
COUNTS = np.arange(PIECES) ** 3  # the first ones stand in the corpus once or never
RARE = replace(RULE, smoothing=0.7, counts=COUNTS)
STARTS = np.arange(PIECES) % 3 != 0  # a third of the pieces goes on with a word
WHOLE = replace(RULE, starts=STARTS)
RULES = {"bert": RULE, "rare": RARE, "whole": WHOLE, "rare and whole": replace(RARE, starts=STARTS)}


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


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_special_tokens_and_padding_are_never_taken_nor_put_in(rule):
    ids, valid = rows([2, 20, 33])
    ids[1, 5] = 1  # an unknown token inside the text
    for epoch in range(200):
        read, targets = mask_rows(ids, valid, generators(3, epoch), rule)
        assert (targets[~valid] == NOT_COUNTED).all() and (read[~valid] == ids[~valid]).all()
        assert not set(targets[targets >= 0].tolist()) & set(SPECIAL)
        changed = read[read != ids]
        assert not set(changed.tolist()) & ({*SPECIAL} - {MASK})
        assert (targets[0] == NOT_COUNTED).all()  # no text between its special tokens


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_row_draws_the_same_in_any_batch_and_another_set_in_the_next_epoch(rule):
    ids, valid = rows([90, 128, 100, 110])  # so long that no two draws are equal by chance
    read, targets = mask_rows(ids, valid, generators(4), rule)
    order = [2, 0]
    some = mask_rows(ids[order], valid[order], [generators(4)[at] for at in order], rule)
    assert (some[0] == read[order]).all() and (some[1] == targets[order]).all()
    narrow = mask_rows(ids[:1, :90], valid[:1, :90], generators(1), rule)
    assert (narrow[1] == targets[:1, :90]).all()
    other = mask_rows(ids, valid, generators(4, epoch=1), rule)
    assert (other[1] != targets).any(1).all()
    seeded = mask_rows(ids, valid, generators(4, seed=8), rule)
    assert (seeded[1] != targets).any(1).all()


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_shortest_text_has_one_target(rule):
    ids, valid = rows([3, 4])
    ids[1, 2] = 7  # it begins a word, so the text of two tokens is two words
    _, targets = mask_rows(ids, valid, generators(2), rule)
    assert (targets != NOT_COUNTED).sum(1).tolist() == [1, 1]


@pytest.mark.parametrize(("share", "hundred"), [(0.15, 15), (0.07, 7), (0.151, 16)])
def test_rare_pieces_are_drawn_by_a_number_rounded_up(share, hundred):
    """0.07 * 100 is 7.000000000000001 in floats."""
    lengths = [*range(3, 60), 102]
    ids, valid = rows(lengths)
    _, targets = mask_rows(ids, valid, generators(len(lengths)), replace(RARE, share=share))
    numbers = (targets != NOT_COUNTED).sum(1).tolist()
    wanted = [math.ceil(round(share * (length - 2), 6)) for length in lengths]
    assert numbers == wanted and numbers[-1] == hundred


def chances(weights, number):
    """Of each index, to be among those drawn one after another without replacement: by all orders."""
    found = np.zeros(len(weights))
    for order in itertools.permutations(range(len(weights)), number):
        chance, left = 1.0, sum(weights)
        for index in order:
            chance *= weights[index] / left
            left -= weights[index]
        for index in order:
            found[index] += chance
    return found


def drawn(ids, rule, times):
    """Share of ``times`` epochs in which each position of one text is a target."""
    framed = np.array([[2, *ids, 3]] * times)
    draws = [row_generator(7, epoch, 0, "masking") for epoch in range(times)]
    _, targets = mask_rows(framed, np.ones_like(framed), draws, rule)
    return (targets != NOT_COUNTED).mean(0)[1:-1]


@pytest.mark.parametrize("smoothing", [0.0, 0.7, 2.0])
def test_tokens_are_drawn_by_the_power_of_their_counts_without_replacement(smoothing):
    """A piece that the counted text lacks weighs as much as one that stands in it once."""
    counts = np.zeros(PIECES, np.int64)
    counts[[5, 6, 7, 8]] = 1000, 30, 4, 1
    rule = replace(RULE, share=0.3, smoothing=smoothing, counts=counts)
    ids = [5, 6, 7, 8, 9, 5]
    weights = [max(int(counts[piece]), 1) ** -smoothing for piece in ids]
    found = drawn(ids, rule, 20_000)
    assert found == pytest.approx(chances(weights, 2), abs=0.015)
    assert found.sum() == pytest.approx(2)


def test_no_count_is_too_large():
    counts = np.full(PIECES, 10**15)
    counts[9] = 1
    rule = replace(RULE, smoothing=10.0, counts=counts, share=0.5)
    assert drawn([5, 6, 9, 7], rule, 50).tolist()[2] == 1.0
    assert drawn([5, 6, 9, 7], rule, 50).sum() == pytest.approx(2)


def test_the_public_code_draws_over_the_whole_batch():
    """ceil(.15 * all valid tokens), special ones counted: rows have more or fewer, of no kind too many."""
    import torch

    ids, valid = rows([20, 50, 31, 9])
    places = np.flatnonzero(valid & ~np.isin(ids, SPECIAL))
    number = math.ceil(0.15 * valid.sum())
    ours, theirs = np.zeros(ids.size), torch.zeros(ids.size)
    weights = torch.zeros(ids.size, dtype=torch.float64)
    weights[places] = torch.tensor(np.maximum(COUNTS[ids.ravel()[places]], 1) ** -0.7)
    torch.manual_seed(reseeded(3))
    rows_of = set()
    for time in range(2000):
        found = drawn_over_batch(ids, valid, row_generator(reseeded(1), time), RARE)
        assert found.sum() == number
        rows_of.add(tuple(found.sum(1)))
        ours += found.ravel()
        theirs[torch.multinomial(weights, number, replacement=False)] += 1
    assert len(rows_of) > 10  # the rows of a batch share one number
    assert ours / 2000 == pytest.approx(theirs.numpy() / 2000, abs=0.06)
    assert not ours[weights.numpy() == 0].any()


def words_by_loops(ids):
    """The positions of each word of a row of ordinary tokens between special ones."""
    words = []
    for at, piece in enumerate(ids):
        if piece in SPECIAL:
            continue
        begins = STARTS[piece] or at == 0 or ids[at - 1] in SPECIAL
        words += [[]] if begins else []
        words[-1].append(at)
    return words


@pytest.mark.parametrize("name", ["whole", "rare and whole"])
def test_all_pieces_of_a_word_are_drawn_together(name):
    ids, valid = rows([3, 20, 128, 64, 11])
    ids[2, 40] = 1  # an unknown token ends a word
    rule, seen = RULES[name], set()
    for epoch in range(100):
        _, targets = mask_rows(ids, valid, generators(5, epoch), rule)
        for row, length in enumerate(valid.sum(1)):
            words = words_by_loops(ids[row, :length].tolist())
            counted = set(np.flatnonzero(targets[row] != NOT_COUNTED).tolist())
            taken = [word for word in words if counted & set(word)]
            assert counted == {at for word in taken for at in word}
            number = rule.number(sum(map(len, words)))
            assert len(counted) <= number or len(taken) == 1
            # No further word fits: what is left is too short for it.
            others = [len(word) for word in words if word not in taken]
            assert not others or len(counted) >= number or min(others) > number - len(counted)
            seen.add((row, tuple(sorted(counted))))
    assert len({key for key in seen if key[0] == 2}) > 50


class Spelt:
    """A tokenizer of as many pieces, some of which go on with a word."""

    all_special_ids = SPECIAL

    def __len__(self):
        return PIECES

    def get_vocab(self):
        return {f"piece{n}" if STARTS[n] else f"##piece{n}": n for n in range(PIECES)}


def test_words_begin_where_the_prepared_column_has_them():
    """``readers.columns.WordStarts`` is the other place that tells words."""
    from chatstill.readers.columns import WordStarts

    column = WordStarts(Spelt())
    ids, _ = rows([90])
    ids[0, [30, 31, 50]] = 1
    ids[0, [32, 51]] = 6, 9  # behind an unknown token, pieces that would go on with a word
    places = np.flatnonzero(~RULE.special[ids[0]])
    first = words_of(ids[0, places], places, column.starts)
    assert places[first].tolist() == np.flatnonzero(column.of(ids[0])).tolist()


def test_where_no_word_fits_one_is_taken_whole():
    ids = [5, 6, 6, 6, 7, 9, 9, 9, 8, 6, 6, 6]  # three words of four pieces; 15 % are two tokens
    found = drawn(ids, replace(WHOLE, share=0.15), 600)
    assert found.sum() == pytest.approx(4)
    assert found == pytest.approx([1 / 3] * 12, abs=0.08)


def test_a_word_is_drawn_by_the_mean_weight_of_its_pieces():
    counts = np.ones(PIECES, np.int64)
    counts[[5, 6]] = 1000, 100
    starts = np.ones(PIECES, bool)
    starts[6] = False
    rule = replace(RULE, share=0.5, smoothing=1.0, counts=counts, starts=starts)
    # Words [5, 6] and [7]: weights (0.001 + 0.01) / 2 and 1; two of three tokens may be taken.
    found = drawn([5, 6, 7], rule, 20_000)
    assert found == pytest.approx([0.0055 / 1.0055] * 2 + [1 / 1.0055], abs=0.003)

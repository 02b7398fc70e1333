"""What is drawn hangs on its place alone, and the shares are those of the settings."""

import math

import pytest

from chatstill.augment.bilstm import Rules
from chatstill.augment.choices import Choices
from chatstill.augment.copies import changed, copies_of
from chatstill.augment.draws import choice, drawn
from chatstill.augment.tags import WordsByTag, module_tagger
from chatstill.text.unknown import UNKNOWN_SIGN
from tests.draws import reseeded

SEED = reseeded(7)
TEXT = "cat dog tree house red blue big small"
CANDIDATES = ["one", "two", "three"]


def choices(text=TEXT, words=tuple(CANDIDATES)):
    found, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        found.append(Choices(at, at + len(word), list(words)))
        at += len(word)
    return found


def within(count, number, share):
    return abs(count / number - share) <= 3 * math.sqrt(share * (1 - share) / number)


def test_draws_are_a_function_of_their_place():
    place = (SEED, 3, 1, 0, 17)
    assert drawn(*place) == drawn(*place)
    others = [tuple(v + (n == k) for n, v in enumerate(place)) for k in range(5)]
    assert len({drawn(*one) for one in [place, *others]}) == 6
    assert len({*drawn(*place)}) == 2


def test_draws_are_uniform():
    numbers = [u for row in range(4000) for u in drawn(SEED, row, 0, 0, 0)]
    assert all(0 <= u < 1 for u in numbers)
    for share in (0.1, 0.4, 0.9):
        assert within(sum(u < share for u in numbers), len(numbers), share)
    picked = [choice(u, 3) for u in numbers]
    assert all(within(picked.count(n), len(picked), 1 / 3) for n in range(3))
    assert choice(1 - 2**-53, 3) == 2


@pytest.mark.parametrize("probability", [0.1, 0.4, 0.8])
def test_the_share_of_replaced_words_is_the_probability(probability):
    replaced = total = 0
    for row in range(400):
        new = changed(TEXT, choices(), (SEED, row, 0, 0), probability).split()
        replaced += sum(a != b for a, b in zip(TEXT.split(), new, strict=True))
        total += len(new)
    assert within(replaced, total, probability)


def test_each_candidate_is_as_likely_as_any_other():
    found = [
        w for row in range(600) for w in changed(TEXT, choices(), (SEED, row, 0, 0), 1).split()
    ]
    assert {*found} == {*CANDIDATES}
    assert all(within(found.count(word), len(found), 1 / 3) for word in CANDIDATES)


def test_a_word_without_candidates_stays():
    assert changed(TEXT, choices(words=()), (SEED, 0, 0, 0), 1.0) == TEXT


def test_the_other_side_of_a_pair_is_the_original():
    texts = [TEXT, "walk talk"]
    found = list(
        copies_of(5, texts, [choices(), choices(texts[1])], copies=3, seed=SEED, probability=1.0)
    )
    assert [(c.first is None, c.second is None) for c in found] == [
        *[(False, True)] * 3,
        *[(True, False)] * 3,
    ]
    assert len({c.first for c in found[:3]}) == 3


# -- the rules of the BiLSTM ------------------------------------------------------------------------


def tags(words):
    return ["A" if word in ("cat", "dog", "tree") else "B" for word in words]


def rules(mask=0.1, other=0.1, part=0.25):
    tag = module_tagger(f"{__name__}:tags")
    by_tag = WordsByTag([tag(TEXT), tag("cat cat dog")])
    return Rules(tag, by_tag, SEED, mask, other, part)


def copies(rule, rows, texts=(TEXT,), number=1):
    return [copy for row in range(rows) for copy in rule.copies_of(row, list(texts), number)]


def test_words_are_masked_and_exchanged_by_their_shares():
    masked = other = total = 0
    for copy in copies(rules(part=0), 500):
        for before, after in zip(TEXT.split(), copy.first.split(), strict=True):
            total += 1
            masked += after == UNKNOWN_SIGN
            if after not in (before, UNKNOWN_SIGN):
                other += 1
                assert tags([after]) == tags([before])
    assert within(masked, total, 0.1) and within(other, total, 0.1)


def test_another_word_is_drawn_by_its_frequency():
    """Of cat 3, dog 2, tree 1: in the place of dog it is cat three times in four."""
    rule = rules()
    found = [rule.by_tag.other("dog", "A", drawn(SEED, n, 0, 0, 0)[0]) for n in range(2000)]
    assert {*found} == {"cat", "tree"}
    assert within(found.count("cat"), len(found), 0.75)
    assert rule.by_tag.other("dog", "no such tag", 0.5) is None


def test_a_part_of_one_to_five_words_takes_the_place_of_the_text():
    words, sizes = TEXT.split(), []
    for copy in copies(rules(mask=0, other=0), 800):
        found = copy.first.split()
        if len(found) < len(words):
            sizes.append(len(found))
            assert " ".join(found) in TEXT
    assert within(len(sizes), 800, 0.25)
    assert {*sizes} == {1, 2, 3, 4, 5}
    assert all(within(sizes.count(n), len(sizes), 0.2) for n in range(1, 6))


def test_signs_are_no_words():
    """They are not masked, and no copy is a sign alone."""
    text = "- cat , dog ! -- tree ?"
    for copy in copies(rules(mask=1, other=0, part=0), 20, (text,)):
        assert copy.first == f"- {UNKNOWN_SIGN} , {UNKNOWN_SIGN} ! -- {UNKNOWN_SIGN} ?"
    parts = {copy.first for copy in copies(rules(mask=0, other=0, part=1), 200, (text,))}
    assert parts == {"cat", "dog", "tree", "cat , dog", "dog ! -- tree", "cat , dog ! -- tree"}


def test_of_a_pair_the_first_the_second_and_both_vary_in_turn():
    found = copies(rules(mask=1), 1, (TEXT, "cat dog"), 6)
    assert [(c.first is None, c.second is None) for c in found] == [
        (False, True),
        (True, False),
        (False, False),
    ] * 2


def test_the_mask_is_the_unknown_word_of_a_word_student():
    from chatstill.text.word_list import build_words, count_words
    from chatstill.text.word_tokenizer import SPECIAL, UNK, WordTokenizer

    first = WordTokenizer(words=[*SPECIAL, "cat"], segmenter="words")
    text = f"cat {UNKNOWN_SIGN} dog"
    assert first.cut(text) == ["cat", UNK, "dog"]
    counts, _ = count_words([text] * 9, first)
    words = build_words(counts, min_count=1, max_words=9, place="place")
    assert words == [*SPECIAL, "cat", "dog"]
    assert first.ids_of_all([text]) == [[3, 1, 1]]

"""Chinese words: strings of as many characters, filled left to right, against all strings by hand."""

import itertools

import torch

from chatstill.augment.copies import changed
from chatstill.augment.words import is_han

from . import by_hand

CUT = {
    "我的猫睡": ["我", "的", "猫", "睡"],
    "北京好": ["北京", "好"],
    "北京 GOOD，😀東國": ["北京", "GOOD", "，", "😀", "東國"],
}


def cut(text):
    return CUT.get(text, list(text))


@torch.no_grad()
def by_beam(model, text, start, length, number, width=5):
    """Left to right with a beam, one unpadded row at a time."""
    known = by_hand.tokenizer()
    han = [n for n, piece in enumerate(by_hand.VOCABULARY) if is_han(piece)]
    signs = list(text)
    beams = [((), 0.0)]
    for step in range(length):
        grown = []
        for ids, score in beams:
            filled = [*(by_hand.VOCABULARY[n] for n in ids), *["[MASK]"] * (length - len(ids))]
            pieces = ["[CLS]", *signs[:start], *filled, *signs[start + length :], "[SEP]"]
            first = len(pieces)
            pieces += [*signs, "[SEP]"]
            row = torch.tensor([known.convert_tokens_to_ids(pieces)])
            types = torch.tensor([[0] * first + [1] * (len(pieces) - first)])
            scores = model(input_ids=row, token_type_ids=types).logits[0, 1 + start + step]
            scores = scores.log_softmax(0)
            grown += [((*ids, n), score + float(scores[n])) for n in han]
        grown.sort(key=lambda one: -one[1])
        beams = grown[: number + 1 if step == length - 1 else width]
    found = ["".join(by_hand.VOCABULARY[n] for n in ids) for ids, _ in beams]
    return [one for one in found if one != text[start : start + length]][:number]


def test_strings_are_those_of_a_beam_by_hand():
    model = by_hand.network(seed=2)
    (found,) = by_hand.finder(model, number=6, segment=cut).of(["北京好"])
    assert [(c.start, c.end) for c in found.choices] == [(0, 2), (2, 3)]
    assert found.choices[0].words == by_beam(model, "北京好", 0, 2, 6)
    assert found.choices[1].words == by_beam(model, "北京好", 2, 1, 6)


def test_never_a_special_token_a_latin_piece_or_the_word_itself():
    for seed in range(3):
        finder = by_hand.finder(by_hand.network(seed=seed), number=30, segment=cut)
        for text in CUT:
            (found,) = finder.of([text])
            for choice in found.choices:
                word = text[choice.start : choice.end]
                if is_han(word):
                    assert choice.words and len(choice.words) == len({*choice.words})
                    assert all(is_han(w) and len(w) == len(word) for w in choice.words)
                assert word not in choice.words


def test_mixed_texts_emoji_and_traditional_characters_pass_unharmed():
    text = "北京 GOOD，😀東國"
    finder = by_hand.finder(by_hand.network(seed=1), number=5, segment=cut)
    (found,) = finder.of([text])
    words = [text[c.start : c.end] for c in found.choices]
    assert words == ["北京", "GOOD", "東國"]
    for copy in range(20):
        new = changed(text, found.choices, (1, 0, copy, 0), 0.7)
        assert (new[2], new.index("，"), "😀" in new) == (" ", new.index("😀") - 1, True)
        assert new[:2] in [text[:2], *found.choices[0].words]
        assert new[-2:] in [text[-2:], *found.choices[2].words]
        latin = new[3 : new.index("，")]
        assert latin.isupper() and latin.isascii()


def test_a_character_that_the_vocabulary_lacks_can_be_replaced_too():
    (found,) = by_hand.finder(by_hand.network(), number=3, segment=cut).of(["我的猫睡"])
    assert len(found.choices) == 4 and all(choice.words for choice in found.choices)


def test_all_pairs_are_tried_where_the_beam_is_wide_enough():
    """With as many strings as the beam holds, the best pair is the best of all pairs."""
    model = by_hand.network(seed=4)
    wide = by_beam(model, "北京好", 0, 2, 400, width=100)
    assert len(wide) == len(by_hand.HAN) ** 2 - 1
    assert {*itertools.chain(*wide)} == {*by_hand.HAN}
    (found,) = by_hand.finder(model, number=2, segment=cut).of(["北京好"])
    assert {*found.choices[0].words} <= {*wide[:40]}

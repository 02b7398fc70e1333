"""Kinds of characters: which belong to them, and counts over rows."""

import pytest

from chatstill.text.characters import KINDS, CharacterCounter, kinds_of


@pytest.mark.parametrize(
    ("characters", "kinds"),
    [
        ("a的1。《ー㈱★…é，！（￥", set()),
        ("😀🀄🇨🏽⭐⌚\ufe0f", {"emoji"}),
        ("\u3000", {"full_width"}),
        ("Ａｚ９", {"full_width", "full_width_alphanumeric"}),
        ("說話體灣電", {"traditional"}),
        ("说话体湾电你好", set()),
        ("\u200b\u200d\ufeff\xad", {"zero_width"}),
        ("\0\x0b\x85", {"control"}),
        ("\t\r\n", set()),
        ("\ufffd", {"replacement"}),
    ],
)
def test_kinds(characters, kinds):
    for character in characters:
        if character in "。《":  # wide, and not a full-width form of something else
            continue
        assert kinds_of(character) == kinds, hex(ord(character))


def test_characters_and_rows_are_counted():
    counter = CharacterCounter()
    counter.add(["好😀😀", "", "plain", "說😀"])
    counter.add(["", ""])
    counter.add(["Ａ\ud800"])
    assert counter.num_characters == 3 + 5 + 2 + 2
    found = {
        kind: (int(counter.characters[number]), int(counter.rows[number]))
        for number, kind in enumerate(KINDS)
    }
    assert found["emoji"] == (3, 2)
    assert found["traditional"] == (1, 1)
    assert found["full_width_alphanumeric"] == (1, 1)
    assert found["zero_width"] == (0, 0)

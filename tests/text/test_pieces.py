"""Which pieces begin a word and how it is written, for the three ways of marking; a row of one piece."""

import pytest
from tests.path.world import tokenizer_of

from chatstill.text.pieces import around_one, begin_words, mark_of, pieces_of, spelled


@pytest.mark.parametrize(
    ("pieces", "mark", "begin"),
    [
        (["play", "##ing", "a", "##s", "Ġ"], "##", ["play", "a", "Ġ"]),  # Ġ is a letter there
        (["Ġplay", "ing", "##", "Ġa"], "Ġ", ["Ġplay", "Ġa"]),  # ## is text there
        (["▁play", "ing", "▁a", "Ġ"], "▁", ["▁play", "▁a"]),
        (["good", "day"], "", ["good", "day"]),
    ],
)
def test_the_mark_that_most_pieces_bear_tells_where_words_begin(pieces, mark, begin):
    assert mark_of(pieces) == mark
    found = zip(pieces, begin_words(pieces), strict=True)
    assert [piece for piece, start in found if start] == begin


class Spelt:
    all_special_ids = (0,)

    def __init__(self, *pieces):
        self.pieces = pieces

    def __len__(self):
        return len(self.pieces)

    def get_vocab(self):
        return {piece: number for number, piece in enumerate(self.pieces) if piece}


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (("[CLS]", "play", "##ing", "", "我"), ["", "play", "", "", "我"]),
        (("<s>", "Ġplay", "ing", "ĠcafÃ©", "Ġ", "ĠÃ"), ["", "play", "", "café", "", ""]),
        (("<s>", "▁the", "re", "▁", "▁é"), ["", "the", "", "", "é"]),
    ],
)
def test_a_piece_is_compared_without_its_mark(pieces, words):
    assert spelled(Spelt(*pieces)) == words


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_a_row_of_one_piece_is_the_tokenizers_own(bert, kind):
    tokenizer = bert if kind == "bert" else tokenizer_of(kind)
    around, seen = around_one(tokenizer), 0
    for number, piece in enumerate(pieces_of(tokenizer)):
        whole = tokenizer(piece)
        if len(whole["input_ids"]) == 3 and whole["input_ids"][1] == number:
            assert around.row(number) == (whole["input_ids"], whole.get("token_type_ids"))
            seen += 1
    assert seen > 5

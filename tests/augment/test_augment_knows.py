"""A masked language model that does not know the rows is warned of before it makes copies of them."""

import torch

from chatstill.augment.knows import doubts
from chatstill.augment.predictor import Predictor

from . import by_hand

STARTS = ("good cat runs", "red tree sleeps", "small blue dog")
TEXTS = [*(f"{start} {word}" for start in STARTS for word in by_hand.WORDS), "one"]
KNOWN = by_hand.tokenizer()


def saying(answer):
    """A predictor that says ``answer(pieces, at)``."""

    def scores(batch, places):
        assert (batch["input_ids"][torch.arange(len(places)), places] == KNOWN.mask_token_id).all()
        rows = torch.full((len(places), len(by_hand.VOCABULARY)), -9.0)
        for row, at in enumerate(places.tolist()):
            pieces = KNOWN.convert_ids_to_tokens(batch["input_ids"][row].tolist())
            rows[row, by_hand.VOCABULARY.index(answer(pieces, at))] = 0.0
        return rows

    return Predictor(scores, KNOWN.pad_token_id)


def test_one_that_finds_hidden_pieces_is_not_doubted():
    hidden = {"cat": "runs", "tree": "sleeps", "blue": "dog"}
    assert doubts(saying(lambda pieces, at: hidden[pieces[at - 1]]), KNOWN, TEXTS, "place") == []


def test_one_that_says_the_commonest_piece_is():
    (problem,) = doubts(saying(lambda pieces, at: "dog"), KNOWN, TEXTS, "place")
    assert problem.code == "augment.model-no-better-than-a-guess" and problem.severity == "warning"
    assert "it finds 33.3 % of 42 hidden pieces" in problem.message
    assert "always 'dog' would find 33.3 %" in problem.message


def test_nothing_is_said_of_texts_that_say_nothing():
    assert doubts(saying(lambda pieces, at: "dog"), KNOWN, ["one", "", "good cat"], "place") == []


def test_a_text_of_many_rows_counts_once():
    """Else the hidden piece of one query would be the commonest, and hard to be better than."""
    says = saying(lambda pieces, at: "dog")
    assert [p.message for p in doubts(says, KNOWN, TEXTS, "place")] == [
        p.message for p in doubts(says, KNOWN, [TEXTS[0]] * 90 + TEXTS, "place")
    ]

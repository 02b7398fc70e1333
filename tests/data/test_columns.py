"""Values beside the ids of a view: weights of tokens, where words begin; made only where asked for."""

import math

import numpy as np
import pytest
import torch
from example_rows import make_example
from tests.path.world import tokenizer_of

from chatstill.data.collate import collate
from chatstill.data.encoded import Lengths
from chatstill.data.views import prepare_view, view_fingerprint
from chatstill.readers.columns import TokenWeights, WordStarts
from chatstill.readers.word_pieces import RowEncoder

TEXTS = ["good day", "good hello", "我 good"]


def weights_of(bert, texts=TEXTS):
    rows = [make_example(n, text, None, 0, None) for n, text in enumerate(texts)]
    return TokenWeights.fit(rows, RowEncoder(bert, Lengths(14)).ids_of, bert)


def test_a_token_weighs_its_inverse_document_frequency(bert):
    table = weights_of(bert).table
    known = {piece: table[bert.convert_tokens_to_ids(piece)] for piece in bert.get_vocab()}
    assert known["good"] == pytest.approx(1.0)  # in all three: log(4 / 4) + 1
    assert known["day"] == pytest.approx(math.log(4 / 2) + 1)
    assert known["the"] == pytest.approx(math.log(4 / 1) + 1)  # in none: as the rarest
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert [known[piece] for piece in special] == [0] * 5


def test_both_texts_and_the_turns_before_them_count(bert):
    row = make_example(0, "good", "day", 0, None)
    from dataclasses import replace

    rows = [replace(row, context=("hello", "good"))]
    table = TokenWeights.fit(rows, RowEncoder(bert, Lengths(14)).ids_of, bert).table
    of = {piece: table[bert.convert_tokens_to_ids(piece)] for piece in ("good", "day", "hello")}
    assert of["good"] == pytest.approx(math.log(5 / 3) + 1)  # 4 texts, in two of them
    assert of["day"] == of["hello"] == pytest.approx(math.log(5 / 2) + 1)


@pytest.mark.parametrize(
    ("kind", "text", "words"), [("bert", "goods day", 2), ("roberta", "good day", 2)]
)
def test_words_begin_where_their_spelling_says_it(bert, kind, text, words):
    tokenizer = bert if kind == "bert" else tokenizer_of(kind)
    ids = np.array(tokenizer(text)["input_ids"])
    starts = WordStarts(tokenizer).of(ids)
    special = np.isin(ids, tokenizer.all_special_ids)
    assert starts.sum() == words and not starts[special].any()
    inner = ids[~special]
    assert starts[~special][0] == 1 and len(inner) > words


@pytest.fixture(params=["right", "left"])
def view(request, rows, bert, tmp_path):
    bert.padding_side = request.param
    try:
        computed = [weights_of(bert), WordStarts(bert)]
        encode = RowEncoder(bert, Lengths(14), computed=computed)
        yield prepare_view(rows, encode, tmp_path, source_fingerprint="s"), computed
    finally:
        bert.padding_side = "right"


def test_a_batch_holds_them_at_their_tokens_and_nothing_at_padding(view, bert):
    prepared, (weights, starts) = view
    batch = collate(prepared, np.arange(20), pad_token_id=0)
    mask = batch["attention_mask"].bool()
    for row in range(20):
        ids = batch["input_ids"][row][mask[row]].numpy()
        got = batch["token_weights"][row][mask[row]].numpy()
        assert np.array_equal(got, weights.table[ids])
        assert np.array_equal(batch["word_starts"][row][mask[row]].numpy(), starts.of(ids))
    assert not batch["token_weights"][~mask].any() and not batch["word_starts"][~mask].any()
    assert batch["token_weights"].dtype == torch.float32
    assert (~mask).any()


def test_they_are_part_of_the_fingerprint_and_absent_where_nobody_asks(rows, bert, tmp_path):
    plain = RowEncoder(bert, Lengths(14))
    names = [
        view_fingerprint(encode, "s")
        for encode in (
            plain,
            RowEncoder(bert, Lengths(14), computed=[weights_of(bert)]),
            RowEncoder(bert, Lengths(14), computed=[weights_of(bert, TEXTS[:2])]),
            RowEncoder(bert, Lengths(14), computed=[WordStarts(bert)]),
        )
    ]
    assert len(set(names)) == 4
    assert "columns" not in plain.identity()  # prepared rows of older versions stay good
    view = prepare_view(rows, plain, tmp_path, source_fingerprint="s")
    assert not view.columns and not {f.stem for f in view.folder.iterdir()} & {"token_weights"}
    batch = collate(view, np.arange(4), pad_token_id=0)
    assert "token_weights" not in batch and "word_starts" not in batch

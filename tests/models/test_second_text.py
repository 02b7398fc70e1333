"""A row's second text, found as well by what a tokenizer outside the package gives of the row."""

import pytest
import torch
from tests.found import refused
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from chatstill.config.schema import RunConfig
from chatstill.data.encoded import Lengths
from chatstill.models.custom import register_networks
from chatstill.models.load import new_classifier
from chatstill.models.networks.second_text import second_text
from chatstill.readers.fit import fit_reader
from chatstill.readers.word_pieces import RowEncoder
from chatstill.tasks.base import Example

SPECIAL = ["<pad>", "<unk>", "<s>", "</s>"]
TEXTS = (["a b", "c"], ["d e f", "g"])
ROWS = [Example(f"train-{n}", n + 1, a, b) for n, (a, b) in enumerate(zip(*TEXTS, strict=True))]
BETWEEN = {
    "roberta": "<s>:0 $A:0 </s>:0 </s>:0 $B:0 </s>:0",
    "decoder with an end": "$A:0 </s>:0 $B:0 </s>:0",
    "decoder with types": "$A:0 $B:1",
    "decoder with begins": "<s>:0 $A:0 <s>:0 $B:0",
    "decoder with nothing": "$A:0 $B:0",
}


def pieces(kind, **tokens):
    """A tokenizer that puts two texts together as its kind does, without a ``sep_token`` of its own."""
    vocab = {word: number for number, word in enumerate([*SPECIAL, *"abcdefgh"])}
    backend = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="$A:0 </s>:0" if "</s>" in BETWEEN[kind] else "$A:0",
        pair=BETWEEN[kind],
        special_tokens=[("<s>", 2), ("</s>", 3)],
    )
    usual = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **{**usual, **tokens})


def student_of(tokenizer, model_type):
    keys = {"segmenter": "pieces", "vectors": "random", "width": 4, "hidden": 3}
    keys |= {"pooling": "mean"} if model_type == "static" else {"units": 3}
    block = {"model_type": model_type, "network": keys}
    config = RunConfig.model_validate({"student_architectures": block})
    register_networks()
    fitted = fit_reader(config, lambda: ROWS, tokenizer)
    model = new_classifier(fitted.config(None), seed=1).eval()
    with torch.no_grad():
        for number, values in enumerate(model.parameters()):
            values.normal_(generator=torch.Generator().manual_seed(number))
    return model


@pytest.mark.parametrize("model_type", ["static", "bilstm", "ltd"])
@pytest.mark.parametrize("kind", [kind for kind in BETWEEN if "</s>" in BETWEEN[kind]])
@pytest.mark.parametrize("side", ["left", "right"])
@torch.no_grad()
def test_marked_rows_are_those_that_plain_tokenizers_give(model_type, kind, side):
    """Types that mark the sides, none, and types that are all 0; padding has the separator's id."""
    tokenizer = pieces(kind, pad_token="</s>", padding_side=side)
    model = student_of(tokenizer, model_type)
    encoder = RowEncoder(tokenizer, Lengths(32), mark_sides=True)
    marked = [encoder([a], [b]) for a, b in zip(*TEXTS, strict=True)]
    expected = [
        model(torch.tensor(row.ids[None]), None, torch.tensor(row.types[None])).logits[0]
        for row in marked
    ]
    for types in (False, True):
        batch = tokenizer(*TEXTS, padding=True, return_tensors="pt", return_token_type_ids=types)
        assert not types or not batch["token_type_ids"].any()
        torch.testing.assert_close(model(**batch).logits, torch.stack(expected))
    swapped = tokenizer(*TEXTS[::-1], padding=True, return_tensors="pt")
    assert not torch.allclose(model(**swapped).logits, torch.stack(expected), atol=1e-3)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_single_text_has_no_word_behind_its_separator(side):
    tokenizer = pieces("roberta", pad_token="</s>", padding_side=side)
    for types in (False, True):
        rows = tokenizer(
            ["a b", "c"], padding=True, return_tensors="pt", return_token_type_ids=types
        )
        found = second_text(rows.input_ids, rows.get("token_type_ids"), 3, rows.attention_mask)
        assert set(rows.input_ids[found].tolist()) == {3}


def test_rows_of_a_batch_are_parted_each_by_itself():
    ids = torch.tensor([[5, 3, 6, 3, 7], [5, 3, 6, 3, 7], [5, 6, 7, 8, 9]])
    types = torch.tensor([[0, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]])
    expected = [[0, 0, 0, 0, 1], [0, 1, 1, 1, 1], [0, 0, 0, 0, 0]]
    assert second_text(ids, types, 3).long().tolist() == expected
    assert second_text(ids, types, None).long().tolist() == types.tolist()


@pytest.mark.parametrize("kind", ["decoder with begins", "decoder with nothing"])
def test_pieces_of_which_nothing_parts_two_texts_are_refused(kind):
    with refused("words.no-separator"):
        student_of(pieces(kind), "static")
    student_of(pieces("decoder with types"), "static")

"""A row's scores are the same alone and in any batch, whatever network and tokenizer say of padding."""

import pytest
import torch
from tests.draws import reseeded
from tiny_models import KINDS, tiny_bigbird, tiny_model
from transformers import (
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    XLNetConfig,
    XLNetForSequenceClassification,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from chatstill.models.padding import fit_padding
from chatstill.models.reads_rows import try_a_row

PAD = 1


class Tokenizer:
    """What of a tokenizer is asked."""

    pad_token_id = PAD

    def __init__(self, side="right"):
        self.padding_side = side

    def __call__(self, *texts):
        return {"input_ids": [3, 7, 8, 9]}


def decoder(token):
    torch.manual_seed(reseeded(0))
    config = LlamaConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        pad_token_id=token,
        initializer_range=0.3,
    )
    return LlamaForSequenceClassification(config)


def same_in_a_batch(model, tokenizer):
    """Whether a short row beside a long one has the scores that it has alone."""
    short, long = [3, 7, 8, 9], [3, *range(10, 20)]
    padding = [PAD] * (len(long) - len(short))
    mask = torch.tensor([[1] * len(short) + [0] * len(padding), [1] * len(long)])
    rows = [short + padding, long]
    if tokenizer.padding_side == "left":
        mask, rows = mask.flip(1), [padding + short, long]
    model.eval()
    with torch.no_grad():
        both = model(input_ids=torch.tensor(rows), attention_mask=mask).logits
        alone = model(torch.tensor([short]), attention_mask=torch.ones(1, len(short))).logits
    return torch.allclose(both[0], alone[0], atol=1e-4)


@pytest.mark.parametrize("token", [None, PAD, 0, 2, -1])
def test_a_decoder_finds_the_last_token_of_every_row(token):
    model, tokenizer = decoder(token), Tokenizer()
    assert fit_padding(model, tokenizer, "teacher") is None
    assert model.config.pad_token_id == PAD
    assert same_in_a_batch(model, tokenizer)


def test_learnt_positions_are_padded_on_the_right():
    torch.manual_seed(reseeded(0))
    config = GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2, pad_token_id=0)
    model, tokenizer = GPT2ForSequenceClassification(config), Tokenizer("left")
    torch.nn.init.normal_(model.transformer.wpe.weight)
    assert fit_padding(model, tokenizer, "teacher") is None
    assert (model.config.pad_token_id, tokenizer.padding_side) == (PAD, "right")
    assert same_in_a_batch(model, tokenizer)


def test_a_network_that_reads_its_last_place_is_padded_on_the_left():
    torch.manual_seed(reseeded(0))
    config = XLNetConfig(vocab_size=40, d_model=16, n_layer=1, n_head=2, d_inner=24)
    model, tokenizer = XLNetForSequenceClassification(config), Tokenizer("right")
    assert fit_padding(model, tokenizer, "teacher") is None
    assert tokenizer.padding_side == "left"
    assert same_in_a_batch(model, tokenizer)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_right_already_is_left_alone(kind):
    model, tokenizer = tiny_model(kind), Tokenizer()
    if model.config.pad_token_id is None:
        model.config.pad_token_id = PAD
    tokenizer.pad_token_id = model.config.pad_token_id
    before = model.config.to_dict()
    state, mode = torch.get_rng_state(), model.training
    assert fit_padding(model, tokenizer, "student") is None
    assert tokenizer.padding_side == "right" and model.training is mode
    assert torch.equal(torch.get_rng_state(), state)
    assert model.config.to_dict() == before


class Deaf(BertForSequenceClassification):
    """Pays no heed to the mask."""

    def forward(self, input_ids, attention_mask=None, **others):
        return super().forward(input_ids, **others)


def test_scores_that_go_by_padding_whatever_is_set_are_warned_of():
    torch.manual_seed(reseeded(0))
    model, tokenizer = Deaf(tiny_model("bert").config), Tokenizer()
    torch.nn.init.normal_(model.classifier.weight)
    problem = fit_padding(model, tokenizer, "student")
    assert problem is not None and problem.severity == "warning"
    assert problem.code == "network.padding-changes-scores" and "student's" in problem.message
    assert tokenizer.padding_side == "right"


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-7])
@pytest.mark.parametrize("mean", [0.0, 3.0])
def test_a_mask_that_is_ignored_shows_at_any_size_of_the_head(size, mean):
    """A fresh head's scores are tiny, a regression's lie around a mean; both differ by row a little."""
    torch.manual_seed(reseeded(0))
    sound = tiny_model("bert")
    model = Deaf(sound.config)
    model.load_state_dict(sound.state_dict())
    for network, heard in ((model, False), (sound, True)):
        torch.nn.init.normal_(network.classifier.weight, std=size)
        torch.nn.init.constant_(network.classifier.bias, mean if size > 1e-4 else 0.0)
        assert (fit_padding(network, Tokenizer(), "student") is None) is heard


class Brittle(BertForSequenceClassification):
    """Takes no padding on the left."""

    def forward(self, input_ids, attention_mask=None, **others):
        if not attention_mask[:, 0].all():
            raise ValueError("padding on the left")
        return super().forward(input_ids, attention_mask=attention_mask, **others)


def test_a_side_that_a_network_cannot_read_is_not_taken():
    model, tokenizer = Brittle(tiny_model("bert").config), Tokenizer("left")
    assert fit_padding(model, tokenizer, "student") is None
    assert tokenizer.padding_side == "right"


class Bag(BertForSequenceClassification):
    """The mean of a row's words: right with padding on either side."""

    def forward(self, input_ids, attention_mask=None, **others):
        words = self.bert.embeddings.word_embeddings(input_ids)
        return SequenceClassifierOutput(logits=self.classifier(self.pooled(words, attention_mask)))

    def pooled(self, words, mask):
        return (words * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


class FirstPlace(Bag):
    """Right with padding on the right alone."""

    def pooled(self, words, mask):
        return words[:, 0]


class LastPlace(Bag):
    """Right with padding on the left alone."""

    def pooled(self, words, mask):
        return words[:, -1]


def made(kind):
    torch.manual_seed(reseeded(0))
    model = kind(tiny_model("bert").config)
    torch.nn.init.normal_(model.classifier.weight)
    torch.nn.init.normal_(model.bert.embeddings.word_embeddings.weight)
    return model


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("first", [True, False])
def test_networks_of_one_tokenizer_are_padded_where_all_are_right(side, first):
    """Whichever is tried first, and whatever side the tokenizer names: the second moves no side under it."""
    teacher, student, tokenizer = made(LastPlace), made(Bag), Tokenizer(side)
    if not first:
        teacher, student = student, teacher
    assert fit_padding(teacher, tokenizer, "teacher") is None
    assert fit_padding(student, tokenizer, "student", {"teacher": teacher}) is None
    assert tokenizer.padding_side == "left"
    assert same_in_a_batch(teacher, tokenizer) and same_in_a_batch(student, tokenizer)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kinds", [(FirstPlace, LastPlace), (LastPlace, FirstPlace)])
def test_networks_of_one_tokenizer_that_no_side_is_right_for_are_refused(side, kinds):
    (teacher, student), tokenizer = map(made, kinds), Tokenizer(side)
    assert fit_padding(teacher, tokenizer, "teacher") is None
    placed = tokenizer.padding_side
    problem = fit_padding(student, tokenizer, "student", {"teacher": teacher})
    assert problem is not None and problem.severity == "error"
    assert problem.code == "network.padded-on-another-side" and "the teacher's" in problem.message
    assert tokenizer.padding_side == placed and same_in_a_batch(teacher, tokenizer)
    assert fit_padding(student, tokenizer, "student") is None  # of a tokenizer of its own


def test_a_network_that_no_side_is_right_for_holds_none():
    torch.manual_seed(reseeded(0))
    deaf, student, tokenizer = made(Deaf), made(LastPlace), Tokenizer()
    assert fit_padding(deaf, tokenizer, "teacher") is not None
    assert fit_padding(student, tokenizer, "student", {"teacher": deaf}) is None
    assert same_in_a_batch(student, tokenizer)


def test_a_network_that_a_short_row_changes_is_left_as_it_is():
    """BigBird turns to full attention for good once it has met a row of few blocks."""
    model, tokenizer = tiny_bigbird(), Tokenizer()
    assert fit_padding(model, tokenizer, "teacher") is None
    assert try_a_row(model, tokenizer, "teacher") is None
    assert model.bert.attention_type == "block_sparse"
    model(torch.tensor([[3, 4, 5, 6]]))
    assert model.bert.attention_type == "original_full", "or this test tests nothing"

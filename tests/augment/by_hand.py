"""A small masked language model with a vocabulary made on the spot, and its best pieces the slow way."""

import torch
import transformers as tf

from chatstill.augment.candidates import Finder
from chatstill.augment.pieces import Pieces
from chatstill.augment.predictor import Predictor, predictor_of
from tests.draws import reseeded

WORDS = "good bad red blue cat dog house tree runs sleeps paris london big small".split()
HAN = list("我你他好坏猫狗跑睡大小红蓝天地北京東國")
INNER = ["##s", "##ing", "walk", "##er"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused1]"]
SIGNS = list(".,!?'“”，。4")
VOCABULARY = [*SPECIAL, *SIGNS, *WORDS, *HAN, *INNER]


def tokenizer(lower=True):
    return tf.BertTokenizer(
        vocab={piece: number for number, piece in enumerate(VOCABULARY)}, do_lower_case=lower
    )


def network(positions=64, seed=0):
    config = tf.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=positions,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(reseeded(seed))
        model = tf.BertForMaskedLM(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def finder(model=None, number=5, rows=32, segment=None, neighbours=None):
    model = network() if model is None else model
    known = tokenizer()
    return Finder(
        predictor_of(model, known, rows), Pieces(known, "place"), number, neighbours, segment
    )


def stub(table, number=5):
    """A finder whose model gives ``table(ids, at)`` -> {piece: score} for each row by itself."""
    known = tokenizer()

    def scores(batch, places):
        rows = torch.full((len(places), len(VOCABULARY)), -1000.0)
        for row, at in enumerate(places.tolist()):
            size = int(batch["attention_mask"][row].sum())
            pieces = known.convert_ids_to_tokens(batch["input_ids"][row, :size].tolist())
            for piece, score in table(pieces, at).items():
                rows[row, VOCABULARY.index(piece)] = score
        return rows

    return Finder(Predictor(scores, 0), Pieces(known, "place"), number)


@torch.no_grad()
def slowly(model, before, masked, after, sentence, number):
    """The best pieces of one masked word, one unpadded row at a time."""
    known = tokenizer()
    pieces = ["[CLS]", *before, masked, *after, "[SEP]", *sentence, "[SEP]"]
    ids = torch.tensor([known.convert_tokens_to_ids(pieces)])
    first = len(before) + len(after) + 3
    types = torch.tensor([[0] * first + [1] * (len(pieces) - first)])
    scores = model(input_ids=ids, token_type_ids=types).logits[0, 1 + len(before)]
    best = scores.argsort(descending=True)[:number].tolist()
    return [VOCABULARY[at] for at in best]

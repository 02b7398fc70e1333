"""Small networks that serve in their folders, replies, and an index of them."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import torch

from chatstill.deploy import change
from chatstill.deploy.index import Index
from chatstill.deploy.network import open_network
from chatstill.deploy.ranker import Ranker
from chatstill.deploy.reply_file import Reply, ReplyFile
from chatstill.models.custom import register_networks
from chatstill.models.load import new_classifier
from chatstill.models.networks import network
from chatstill.models.save import save_student
from chatstill.text.byte_tokenizer import ByteTokenizer
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer
from tests.dc_bert_by_hand import dc_bert, jittered
from tests.elmo_by_hand import write_elmo

QUERIES = ["where is the red box", "sure", "can we go home now ask me why you sing"]
REPLIES = [
    "sure",
    "a red cat",
    "the box is not in the red box we go home",
    "can you sing",
    "we go home now",
    "why",
    "ask me why you sing a cat where is the red box now",
    "no",
    "you can go",
    "the cat is in the box",
]


def saved(folder, kind="transformer", **options):
    """The folder of a network of random weights, ``kind`` as ``last_layer_model_type``."""
    made = dc_bert(kind=kind, **{"reply": 9, "outputs": 2, **options})
    jittered(made.model, seed=5)
    made.model.config.id2label = dict(enumerate(["0", "1"][: made.model.config.num_labels]))
    made.model.save_pretrained(folder)
    made.tokenizer.save_pretrained(folder)
    return folder


SIZES = {
    "static": {"width": 8, "hidden": 6, "pooling": "weighted"},
    "bilstm": {"width": 6, "units": 4, "hidden": 6},
    "ltd": {"width": 6, "units": 4, "hidden": 6, "vector_width": 7},
    "elmo": {"hidden": 6},
}


def saved_sentences(folder, kind="ltd", texts=2, outputs=2, extras=None, **keys):
    """The folder of a network with sentence vectors, of random weights."""
    register_networks()
    ours = network(kind)
    tokenizer = ByteTokenizer(segmenter="words")
    if not ours.reads_bytes:
        words = sorted({word for text in (*QUERIES, *REPLIES) for word in text.split()} - {"you"})
        tokenizer = WordTokenizer(words=[*SPECIAL, *words], segmenter="words")
    if ours.starts_from_files:
        keys["folder"] = str(write_elmo(folder.with_name(f"{folder.name}-elmo")))
    block = ours.Block(**{**SIZES[kind], **keys})
    config = ours.build_config(block, tokenizer, pairs=texts == 2)
    config.num_labels = outputs
    model = jittered(new_classifier(config, seed=1), seed=5)
    if kind == "ltd":
        model.weigh(np.linspace(1, 4, len(tokenizer)))
    save_student(model, tokenizer, folder, ["0", "1"][:outputs], extras=extras)
    return folder


def plain(texts):
    """A file of replies without ids."""
    return ReplyFile([Reply(None, text) for text in texts], False, [])


def named(**texts):
    """A file of ids and replies."""
    return ReplyFile([Reply(name, text) for name, text in texts.items()], True, [])


class Quiet:
    """A desk that keeps what it was told."""

    def __init__(self, queries=None, label=None):
        self.lines, self.warnings, self.rows = [], [], []
        self.desk = change.Desk(
            self.lines.append, self.warnings.append, self.progress, queries, label
        )

    @contextmanager
    def progress(self, total):
        self.total = total
        yield self.rows.append

    @property
    def codes(self):
        return [warning.code for warning in self.warnings]


def build(model, folder, replies=REPLIES, fresh=False, queries=None, **form):
    """``.served``, ``.index``, ``.told`` of an index that was built."""
    told = Quiet(queries)
    served = open_network(model) if not hasattr(model, "model") else model
    file = replies if isinstance(replies, ReplyFile) else plain(replies)
    change.build(served, file, folder, change.Form(**form), told.desk, fresh=fresh)
    return SimpleNamespace(served=served, index=Index(folder), told=told, folder=folder)


@torch.no_grad()
def by_pairs(served, query, replies):
    """Log-odds of label 1 of rows (query, reply), as every classifier reads them."""
    rows = served.tokenizer([query] * len(replies), replies, padding=True, return_tensors="pt")
    logits = served.model(**rows).logits
    return {
        reply: float(one[1] - one[0] if len(one) == 2 else one[0])
        for reply, one in zip(replies, logits, strict=True)
    }


def margins(served, index, query):
    """Log-odds by reply, out of the index."""
    ranker = Ranker(served, index)
    rows, found = ranker._scorer.margins(served.encode_query(query))
    return {ranker.index.text(int(row)): float(one) for row, one in zip(rows, found, strict=True)}


def content(folder):
    """Bytes of every file of an index by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}

"""A small DC-BERT in its folder, replies, and an index of them."""

from contextlib import contextmanager
from types import SimpleNamespace

import torch

from chatstill.deploy import change
from chatstill.deploy.index import Index
from chatstill.deploy.network import open_network
from chatstill.deploy.ranker import Ranker
from chatstill.deploy.reply_file import Reply, ReplyFile
from tests.dc_bert_by_hand import dc_bert, jittered

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

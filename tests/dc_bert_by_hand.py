"""A small DC-BERT out of a small teacher, and its forms computed by plain arithmetic."""

from types import SimpleNamespace

import numpy as np
import torch
import transformers as tf

from chatstill.models.networks.dc_bert.build import build_dc_bert
from chatstill.models.networks.dc_bert.fitting import Interaction
from chatstill.models.student_spec import RowReading, StudentSpec
from tests.draws import reseeded
from tests.path import world


def jittered(model, seed=3, size=0.3):
    """Weights that are all different, so that no two layers, tables or biases are alike."""
    generator = torch.Generator().manual_seed(reseeded(seed))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * size)
    return model.eval()


def teacher_of(kind="bert", layers=3, outputs=2, dropout=0.0):
    tokenizer = world.tokenizer_of(kind)
    config = world.config_of(kind, len(tokenizer), layers, dropout)
    config.num_labels = outputs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(reseeded(1))
        model = tf.AutoModelForSequenceClassification.from_config(config)
    return jittered(model), tokenizer


def reading_of(tokenizer, row=24, query=None, reply=None, side="right", pairs=True, replies=()):
    return RowReading(
        tokenizer, row, query, reply, side, lambda: pairs, lambda most: list(replies)[:most]
    )


def dc_bert(
    teacher="bert",
    *,
    kind="transformer",
    layers=1,
    copy_from=-1,
    shared=False,
    attends="both_ways",
    width=None,
    depth=None,
    outputs=2,
    dropout=0.0,
    copy_layers=None,
    path=None,
    copy_source=None,
    **reading,
):
    """``.model``, its ``.teacher``, ``.tokenizer`` and ``.lines``; queries of 6 tokens by default."""
    theirs, tokenizer = teacher_of(teacher, outputs=outputs, dropout=dropout)
    spec = StudentSpec(
        depth or theirs.config.num_hidden_layers,
        path,
        load=lambda: None,
        copy_from=copy_source,
        copy_layers=copy_layers,
        reading=reading_of(tokenizer, **{"query": 6, **reading}),
    )
    wanted = Interaction(kind, layers, copy_from, shared, attends, width)
    model, lines = build_dc_bert(theirs, wanted, spec)
    return SimpleNamespace(model=model, teacher=theirs, tokenizer=tokenizer, lines=lines)


# -- plain arithmetic, one row at a time, in float64 -------------------------------------------------


def numbers(tensor):
    return tensor.detach().double().numpy()


def linear(layer, x):
    return x @ numbers(layer.weight).T + numbers(layer.bias)


def norm(layer, x):
    mean = x.mean(-1, keepdims=True)
    deviation = np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + layer.eps)
    return (x - mean) / deviation * numbers(layer.weight) + numbers(layer.bias)


def gelu(x):
    from scipy.special import erf

    return x * 0.5 * (1 + erf(x / np.sqrt(2)))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def attention_rows(layer, x, seen, places):
    """(heads, rows, L) scores before the softmax of the rows of ``x`` at some places."""
    own, heads = layer.attention.self, layer.attention.self.num_attention_heads
    queries, keys = linear(own.query, x[places]), linear(own.key, seen)
    size = x.shape[1] // heads
    of = [slice(head * size, (head + 1) * size) for head in range(heads)]
    return np.array([queries[:, at] @ keys[:, at].T / np.sqrt(size) for at in of])


def bert_layer(layer, x, seen=None):
    """Vaswani et al., section 3: attention of each head, then the feed-forward part, a norm behind each.

    ``seen`` are the rows that those of ``x`` attend to, where these are others than ``x``.
    """
    own, heads = layer.attention.self, layer.attention.self.num_attention_heads
    seen = x if seen is None else seen
    queries, keys, values = linear(own.query, x), linear(own.key, seen), linear(own.value, seen)
    size = x.shape[1] // heads
    context = np.zeros_like(x)
    for head in range(heads):
        at = slice(head * size, (head + 1) * size)
        for place in range(len(x)):
            weights = softmax(keys[:, at] @ queries[place, at] / np.sqrt(size))
            context[place, at] = weights @ values[:, at]
    attended = norm(
        layer.attention.output.LayerNorm, linear(layer.attention.output.dense, context) + x
    )
    inner = gelu(linear(layer.intermediate.dense, attended))
    return norm(layer.output.LayerNorm, linear(layer.output.dense, inner) + attended)


def placed(form, query, document, places):
    positions, types = numbers(form.positions.weight), numbers(form.types.weight)
    asked = [state + positions[n] + types[0] for n, state in enumerate(query)]
    replied = [state + positions[places + n] + types[1] for n, state in enumerate(document)]
    return np.array(asked), np.array(replied)


def joint_head(form, query, document):
    joined = np.concatenate([query, document])
    return linear(form.classifier, np.tanh(linear(form.dense, joined)))


def transformer_form(form, query, document, places):
    """Logits of the states (Lq, H) and (Ld, H) of one pair, nothing padded."""
    x = np.concatenate(placed(form, query, document, places))
    for layer in form.layers:
        x = bert_layer(layer, x)
    return joint_head(form, x[0], x[len(query)])


def one_way_form(form, query, document, places):
    """The same where the query's rows see all and the document's stay as they were placed."""
    x, replied = placed(form, query, document, places)
    for layer in form.layers:
        x = bert_layer(layer, x, np.concatenate([x, replied]))
    return joint_head(form, x[0], replied[0])


def linear_form(form, query, document):
    other = form.query_pooler if form.document_pooler is None else form.document_pooler
    p, d = np.tanh(linear(form.query_pooler, query[0])), np.tanh(linear(other, document[0]))
    return linear(form.classifier, np.tanh(linear(form.dense, np.concatenate([p, d, p - d]))))


def lstm_state(lstm, x, backwards):
    """The last state of one direction: i, f, g, o are the input, forget, cell and output gates."""
    end = "_reverse" if backwards else ""
    into, over = (numbers(getattr(lstm, f"weight_{w}_l0{end}")) for w in ("ih", "hh"))
    bias = sum(numbers(getattr(lstm, f"bias_{w}_l0{end}")) for w in ("ih", "hh"))
    h = c = np.zeros(over.shape[1])
    for step in x[::-1] if backwards else x:
        i, f, g, o = np.split(into @ step + over @ h + bias, 4)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
    return h


def lstm_form(form, query, document):
    other = form.query_lstm if form.document_lstm is None else form.document_lstm
    u, v = (
        np.concatenate([lstm_state(lstm, side, backwards) for backwards in (False, True)])
        for lstm, side in ((form.query_lstm, query), (other, document))
    )
    weights, bias = numbers(form.classifier.weight), numbers(form.classifier.bias)
    return np.array([u @ own @ v + b for own, b in zip(weights, bias, strict=True)])

"""Tiny teachers that are right by construction: their weights are set by hand, nothing is trained.

Each output has words of its own. The embedding of such a word points into a direction of that output, every
layer adds to each token the mean of these directions over the row (attention whose scores are close to 0 is a
mean), and the classifier reads them at the place that it looks at. Around that stand small random weights, so
that no two layers are alike. The right answer is ahead by much more than rounding or those weights take away.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers as tf

from .world import BAD, GOOD

Signs = Sequence[Sequence[str]]
WORD = 3.0  # length of a word's direction; the rest of an embedding is +-1
SIGNS = (BAD, GOOD)  # of rows with labels 0 and 1
GAIN = 6.0  # of the mean over the row
AHEAD = 4.0  # factor of the classifier

VALUES = ("attention.self.value", "attention.v_lin", "self_attn.v_proj")
OUTPUTS = ("attention.output.dense", "attention.out_lin", "self_attn.o_proj")
BEFORE_THE_CLASSIFIER = ("pooler.dense", "classifier.dense", "pre_classifier")
CLASSIFIER = ("classifier", "classifier.out_proj", "score")


def id_of(tokenizer: Any, word: str) -> int:
    """The one piece that a word is, inside a text."""
    ids = tokenizer(f"{word} {word}", add_special_tokens=False)["input_ids"]
    return max(ids, key=lambda number: len(tokenizer.convert_ids_to_tokens(number)))


@torch.no_grad()
def set_weights(model: Any, signs: Sequence[Sequence[int]]) -> None:
    """Makes a random classifier right.

    Args:
        model: Of one of ``world.KINDS``; 1 output, or one for each list of tokens.
        signs: For each output the ids of its words. One output: of a low score, and of a high one.
    """
    outputs = len(signs)
    _set_embeddings(model, signs)
    linear = {n: part for n, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
    met = set()
    for name, part in linear.items():
        weight = part.weight
        if name.endswith("embeddings_project"):
            weight[:] = 0.0
            weight[: weight.shape[1]] = torch.eye(weight.shape[1])
        elif name.endswith((*VALUES, *OUTPUTS, *BEFORE_THE_CLASSIFIER)):
            factor = GAIN if name.endswith(OUTPUTS) else 1.0
            weight[:outputs] = 0.0
            weight[:outputs, :outputs] = factor * torch.eye(outputs)
        elif name in CLASSIFIER:
            answers = torch.eye(outputs) - 1 / outputs
            answers = answers if len(weight) > 1 else answers[1:] - answers[:1]
            weight[:, :] = 0.0
            weight[:, :outputs] = AHEAD * answers
        else:
            continue
        met.add(name.rsplit(".", 1)[-1])
        if part.bias is not None:
            part.bias[:] = 0.0
    assert len(met) >= 3, f"nothing to set in {sorted(linear)}"


def _set_embeddings(model: Any, signs: Sequence[Sequence[int]]) -> None:
    table = model.get_input_embeddings().weight
    width = table.shape[1]
    table += torch.tensor([1.0, -1.0]).repeat(width)[:width]
    table[:, : len(signs)] = 0.0
    for output, ids in enumerate(signs):
        table[list(ids), output] = WORD


def make_right(folder: Path, signs: Signs = SIGNS) -> Path:
    """``set_weights`` for the network of a folder, in place; its tokenizer has each word as one piece."""
    model = tf.AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = tf.AutoTokenizer.from_pretrained(folder)
    set_weights(model, [[id_of(tokenizer, word) for word in words] for words in signs])
    model.save_pretrained(folder)
    return folder


@torch.no_grad()
def fit_scores(folder: Path, texts: Sequence[tuple[str, ...]], scores: Sequence[float]) -> Path:
    """Moves and stretches the one output of a folder's network to the scores of texts: a line of best fit."""
    model = tf.AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = tf.AutoTokenizer.from_pretrained(folder)
    columns = [list(column) for column in zip(*texts, strict=True)]
    found = model(**tokenizer(*columns, padding=True, return_tensors="pt")).logits[:, 0].double()
    aim = torch.tensor(scores, dtype=torch.float64)
    design = torch.stack([found, torch.ones_like(found)], 1)
    slope, start = torch.linalg.lstsq(design, aim[:, None]).solution[:, 0].tolist()
    model.classifier.weight *= slope
    model.classifier.bias += start
    model.save_pretrained(folder)
    return folder

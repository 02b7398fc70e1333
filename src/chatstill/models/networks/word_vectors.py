"""What the word vectors of a network start as: those of a file, or the teacher's, made without data."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...data.fingerprint import state_sha256
from ...errors import Problem, UserError
from ...features.base import Needs
from ...text.tokenizers import tokenizer_fingerprint
from ..reading import read_features

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from .base import Start

PLACE = "student_architectures.network.vectors"
BATCH = 256
FORMAT = "word vectors of a teacher 1"
log = logging.getLogger("chatstill")


def fill_from_file(model: Any, path: Path, start: Start) -> list[str]:
    """Vectors of a GloVe or word2vec text file; words that it lacks keep their random ones.

    Raises:
        UserError: the file cannot be read, is of another width, or has none of the words.
    """
    from ...text.vectors import read_vectors

    words = words_of(start.tokenizer)
    found = read_vectors(path, words, start.cache, place=PLACE)
    table = model.get_input_embeddings().weight
    width = table.shape[1]
    if found.width != width:
        message = f"{path} has vectors of {found.width} numbers, and the network's width is {width}"
        raise UserError(
            Problem(
                PLACE,
                message,
                f'Set "width": {found.width} in network.',
                code="vectors.other-width",
            )
        )
    known = torch.from_numpy(found.found.copy())
    if not known.any():
        message = f"{path} has none of the network's {len(words):,} words"
        raise UserError(
            Problem(
                PLACE,
                message,
                "Is it of another language or another segmenter?",
                code="vectors.no-word-of-ours",
            )
        )
    matrix = torch.from_numpy(found.matrix.copy())
    # Random vectors of the others are made as long as those of the file are on average.
    size = float(matrix[known].norm(dim=1).mean())
    with torch.no_grad():
        scale = size / float(table[~known].norm(dim=1).clamp(min=1e-12).mean()) if size else 1.0
        table *= scale
        table[known] = matrix[known]
        _clear_padding(model)
    line = f"word vectors of {path}: {int(known.sum()):,} of {len(words):,} words"
    return [line, *(str(note) for note in found.notes)]


def fill_from_teacher(model: Any, start: Start) -> list[str]:
    """Every word alone through the teacher, the mean of its pieces' states, PCA to the width; made once."""
    words, table = words_of(start.tokenizer), model.get_input_embeddings().weight
    teacher, tokenizer = start.teacher, start.teacher_tokenizer
    if teacher is None or tokenizer is None:
        message = "the words' vectors are to be the teacher's, and this method has none"
        hint = 'Take "random" ones, or those of a file.'
        raise UserError(Problem(PLACE, message, hint, code="vectors.no-teacher"))
    made_of = _made_of(teacher, tokenizer, words, table.shape[1])
    known = None if start.kept is None else start.kept.find(made_of)
    began = time.monotonic()
    if known is None:
        states = word_states(teacher, tokenizer, words)
        vectors, wide = fitted_to(states, table.shape[1]), states.shape[1]
    else:
        facts, arrays = known
        wide = facts["width of states"]
        vectors = torch.from_numpy(arrays["vectors"].reshape(table.shape).copy())
    with torch.no_grad():
        table.copy_(vectors)
        _clear_padding(model)
    if start.kept is not None:
        facts = {"kind": "words", "width of states": wide}
        # Read when they are written, which is before the first step: no second copy is held.
        start.kept.keep(
            made_of, facts, lambda: {"vectors": table.detach().cpu().numpy().reshape(-1)}
        )
    how = f"PCA from {wide} to {table.shape[1]}" if table.shape[1] < wide else "as they are"
    num = len(words) - len(start.tokenizer.all_special_ids)
    when = "kept from before" if known else f"in {time.monotonic() - began:.0f} s"
    return [f"but its word vectors are the teacher's: {num:,} words {when}, {how}"]


def _made_of(
    teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, words: Sequence[str], width: int
) -> dict[str, Any]:
    """All that decides the vectors."""
    config = {k: v for k, v in teacher.config.to_dict().items() if not k.startswith("_")}
    return {
        "kept": FORMAT,
        "teacher": state_sha256(teacher.state_dict()),
        "architecture": json.dumps(config, default=str),
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "words": list(words),
        "width": width,
    }


def words_of(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The words of a tokenizer by id."""
    known = {number: word for word, number in tokenizer.get_vocab().items()}
    return [known.get(number, "") for number in range(len(tokenizer))]


@torch.no_grad()
def word_states(
    teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, words: Sequence[str]
) -> Tensor:
    """(V, H) float32: the mean of the teacher's last states over a word's pieces, special tokens left out.

    A word that the teacher reads as nothing has zeros. The teacher is in eval mode afterwards as before.
    """
    training = teacher.training
    teacher.eval()
    special = torch.tensor(sorted(tokenizer.all_special_ids))
    device = next(teacher.parameters()).device
    order = sorted(range(len(words)), key=lambda at: len(words[at]))  # rows of like length together
    rows: list[Tensor] = [torch.empty(0)] * len(words)
    told = time.monotonic()
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        texts = [words[at] for at in chosen]
        batch = tokenizer(
            texts, padding=True, truncation=True, max_length=64, return_tensors="pt", verbose=False
        )
        batch = {key: value.to(device) for key, value in batch.items()}
        found = read_features(teacher, batch, Needs(hidden_states=(last_layer(teacher),)))
        states = found.hidden_states[last_layer(teacher)].float()
        pieces = batch["attention_mask"].bool() & ~torch.isin(
            batch["input_ids"], special.to(device)
        )
        total = pieces.sum(1, keepdim=True).clamp(min=1)
        means = torch.where(pieces[..., None], states, 0.0).sum(1) / total
        for at, row in zip(chosen, means.cpu(), strict=True):
            rows[at] = row
        if time.monotonic() - told > 10:
            told = time.monotonic()
            log.info("word vectors of the teacher: %s of %s words", f"{start:,}", f"{len(words):,}")
    teacher.train(training)
    return torch.stack(rows)


def last_layer(model: Any) -> int:
    """Its number, counted from 1."""
    return int(model.config.num_hidden_layers)


def fitted_to(states: Tensor, width: int) -> Tensor:
    """(V, width): the first principal components of (V, H), or the states with zeros behind them.

    Each component's largest loading is positive, so that the result does not hang on the library. The
    vectors are scaled to unit length on average, as random ones are.
    """
    if width < states.shape[1]:
        exact = states.double()
        centred = exact - exact.mean(0)
        _, components = torch.linalg.eigh(centred.T @ centred)
        components = components.flip(1)[:, :width]
        largest = components.abs().argmax(0)
        components = components * torch.sign(components[largest, torch.arange(width)])
        states = (centred @ components).float()
    else:
        states = torch.nn.functional.pad(states, (0, width - states.shape[1]))
    size = states.norm(dim=1).mean()
    return states / size if size > 0 else states


def _clear_padding(model: Any) -> None:
    words = model.get_input_embeddings()
    if words.padding_idx is not None:
        words.weight[words.padding_idx].zero_()

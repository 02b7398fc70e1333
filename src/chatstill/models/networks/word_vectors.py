"""What the word vectors of a network start as: those of a file, or the teacher's, made without data."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...data.fingerprint import state_sha256
from ...errors import Problem, UserError
from ...features.base import Needs
from ...text.pieces import around_one, pieces_of, spelled
from ...text.tokenizers import tokenizer_fingerprint
from ..custom import code_of
from ..reading import read_features

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from .base import Start

PLACE = "student_architectures.network.vectors"
BATCH = 256
FORMAT = "word vectors of a teacher 2"
log = logging.getLogger("chatstill")


def fill_from_file(model: Any, path: Path, start: Start) -> list[str]:
    """Vectors of a GloVe or word2vec text file; words that it lacks keep their random ones.

    Raises:
        UserError: the file cannot be read, is of another width, or has none of the words.
    """
    from ...text.vectors import read_vectors

    ids, words, what = compared(start.tokenizer)
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
    if not found.found.any():
        message = f"{path} has none of the network's {len(words):,} {what}"
        raise UserError(
            Problem(
                PLACE,
                message,
                "Is it of another language or another segmenter?",
                code="vectors.no-word-of-ours",
            )
        )
    known = torch.zeros(len(table), dtype=torch.bool)
    known[torch.tensor(ids)[torch.from_numpy(found.found.copy())]] = True
    vectors = torch.from_numpy(found.matrix[found.found])
    # Random vectors of the others are made as long as those of the file are on average.
    size = float(vectors.norm(dim=1).mean())
    with torch.no_grad():
        scale = size / float(table[~known].norm(dim=1).clamp(min=1e-12).mean()) if size else 1.0
        table *= scale
        table[known] = vectors
        _clear_padding(model)
    line = f"word vectors of {path}: {int(known.sum()):,} of {len(words):,} {what}"
    return [line, *(str(note) for note in found.notes)]


def compared(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[str], str]:
    """What of a tokenizer is looked up in a list of words: ids, ascending, spellings, and what they are.

    Of a tokenizer of pieces only those that begin a word, without their mark: ``##ing`` and ``Ġthe`` stand
    in no list of words, and ``##ing`` is none.
    """
    words = is_of_words(tokenizer)
    found = pieces_of(tokenizer) if words else spelled(tokenizer)
    ids = [number for number, word in enumerate(found) if word]
    what = "words" if words else f"pieces that begin a word (of {len(found):,} pieces)"
    return ids, [found[number] for number in ids], what


def is_of_words(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether its ids are words of a segmenter, not pieces."""
    from ...text.word_tokenizer import WordTokenizer

    return isinstance(tokenizer, WordTokenizer)


def fill_from_teacher(model: Any, start: Start) -> list[str]:
    """Every word alone through the teacher, the mean of its pieces' states, PCA to the width; made once.

    A network that reads the teacher's own pieces takes the state of each, by its id: written as a text, a
    piece such as ``##ing`` or ``Ġcat`` would be cut into others.
    """
    words, table = pieces_of(start.tokenizer), model.get_input_embeddings().weight
    teacher, tokenizer = start.teacher, start.teacher_tokenizer
    if teacher is None or tokenizer is None:
        message = "the words' vectors are to be the teacher's, and this method has none"
        hint = 'Take "random" ones, or those of a file.'
        raise UserError(Problem(PLACE, message, hint, code="vectors.no-teacher"))
    shared = reads_alike(start.tokenizer, tokenizer)
    made_of = _made_of(teacher, tokenizer, words, table.shape[1]) | {
        "by": "id" if shared else "text"
    }
    known = None if start.kept is None else start.kept.find(made_of)
    began = time.monotonic()
    if known is None:
        states = (
            piece_states(teacher, tokenizer) if shared else word_states(teacher, tokenizer, words)
        )
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
    what = f"{num:,} words"
    if not is_of_words(start.tokenizer):
        what = f"{num:,} pieces ({sum(map(bool, spelled(start.tokenizer))):,} begin a word)"
    when = "kept from before" if known else f"in {time.monotonic() - began:.0f} s"
    return [f"but its word vectors are the teacher's: {what} {when}, {how}"]


def _made_of(
    teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, words: Sequence[str], width: int
) -> dict[str, Any]:
    """All that decides the vectors."""
    import tokenizers
    import transformers

    config = {k: v for k, v in teacher.config.to_dict().items() if not k.startswith("_")}
    return {
        "kept": FORMAT,
        "teacher": state_sha256(teacher.state_dict()),
        "architecture": json.dumps(config, default=str),
        "code": code_of(teacher),
        "versions": [tokenizers.__version__, transformers.__version__],
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "words": list(words),
        "width": width,
    }


def reads_alike(one: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase) -> bool:
    """Whether two tokenizers give a word or piece the same id."""
    return one is other or one.get_vocab() == other.get_vocab()


def word_states(
    teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, words: Sequence[str]
) -> Tensor:
    """(V, H) float32: the mean of the teacher's last states over a word's pieces, special tokens left out.

    A word that the teacher reads as nothing has zeros. The teacher is in eval mode afterwards as before.
    """

    def rows_of(places: list[int]) -> dict[str, Tensor]:
        texts = [words[at] for at in places]
        return dict(
            tokenizer(
                texts,
                padding=True,
                truncation=True,
                max_length=64,
                return_tensors="pt",
                verbose=False,
            )
        )

    order = sorted(range(len(words)), key=lambda at: len(words[at]))  # rows of like length together
    return _states(teacher, tokenizer, len(words), order, rows_of)


def piece_states(teacher: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Tensor:
    """(V, H) float32: the teacher's last state of each piece alone, between the tokenizer's special tokens.

    Special tokens and ids without a piece have zeros. The teacher is in eval mode afterwards as before.
    """
    special, around = set(tokenizer.all_special_ids), around_one(tokenizer)
    pieces = pieces_of(tokenizer)
    order = [at for at, piece in enumerate(pieces) if piece and at not in special]
    if around is None:
        message = (
            f"{type(tokenizer).__name__} does not show where a text stands among its special tokens"
        )
        hint = 'Take "random" vectors, or those of a file.'
        raise UserError(Problem(PLACE, message, hint, code="vectors.no-place-for-a-piece"))

    def rows_of(places: list[int]) -> dict[str, Tensor]:
        rows = [around.row(at) for at in places]
        ids = torch.tensor([row for row, _ in rows])
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if around.types is not None:
            batch["token_type_ids"] = torch.tensor([types for _, types in rows])
        return batch

    return _states(teacher, tokenizer, len(pieces), order, rows_of)


@torch.no_grad()
def _states(
    teacher: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    total: int,
    order: Sequence[int],
    rows_of: Callable[[list[int]], dict[str, Tensor]],
) -> Tensor:
    """(total, H): of each of ``order`` the mean of the last states of its row, of the others zeros."""
    training = teacher.training
    teacher.eval()
    special = torch.tensor(sorted(tokenizer.all_special_ids))
    device = next(teacher.parameters()).device
    found = torch.empty(0)
    told = time.monotonic()
    for start in range(0, len(order), BATCH):
        chosen = list(order[start : start + BATCH])
        batch = {key: value.to(device) for key, value in rows_of(chosen).items()}
        features = read_features(teacher, batch, Needs(hidden_states=(last_layer(teacher),)))
        states = features.hidden_states[last_layer(teacher)].float()
        pieces = batch["attention_mask"].bool() & ~torch.isin(
            batch["input_ids"], special.to(device)
        )
        count = pieces.sum(1, keepdim=True).clamp(min=1)
        means = torch.where(pieces[..., None], states, 0.0).sum(1) / count
        if not start:
            found = torch.zeros(total, means.shape[1])
        found[chosen] = means.cpu()
        if time.monotonic() - told > 10:
            told = time.monotonic()
            log.info("word vectors of the teacher: %s of %s words", f"{start:,}", f"{total:,}")
    teacher.train(training)
    return found


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

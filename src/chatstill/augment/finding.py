"""Opens what looks for candidates, in this process or in one of several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..errors import Problem, UserError
from ..models.load import LoadedModel
from ..models.masked_lm import head_missing, head_problem, load_masked_lm
from ..text.segment import JIEBA, load_segmenter
from ..text.tokenizers import resolve_tokenizer
from . import neighbours
from .candidates import Finder
from .named import Named
from .pieces import Pieces
from .predictor import predictor_of


def load_network(named: Named) -> tuple[Any, Any]:
    """The masked language model and its tokenizer, checked to know how to predict.

    Raises:
        UserError: it cannot be loaded, or its head was never trained.
    """
    path = str(named.model_name_or_path)
    try:
        loaded: LoadedModel = load_masked_lm(named, role="pretrained", cache_dir=named.cache_dir)
    except UserError as error:
        raise UserError(
            [replace(p, place=_place(p.place, named)) for p in error.problems]
        ) from None
    if head_missing(loaded):
        message = f"{path} has no trained masked-LM head: its predictions would be random"
        hint = (
            'Name a masked language model, or train the head on texts: "model_type": "MaskedLM" with '
            f'"pretrained_architectures": {{"model_name_or_path": "{path}"}}, docs/pretraining.md.'
        )
        raise UserError(Problem(named.place, message, hint, code="augment.head-not-trained"))
    tokenizer = resolve_tokenizer(named.tokenizer, path, None, None, named.cache_dir)
    problem = head_problem(loaded.model, tokenizer)
    if problem is not None and problem.code != "corpus.head-not-plain":
        raise UserError(problem)
    return loaded.model.eval(), tokenizer


def _place(place: str, named: Named) -> str:
    """The key that names the network, where a message has that of other runs."""
    return named.place if place.startswith("pretrained_architectures") else place


def open_finder(named: Named, number: int, folder: Path, *, chinese: bool, device: str) -> Finder:
    """A finder whose word vectors, if there are any, are kept in the work's folder.

    Args:
        named: The masked language model.
        number: The most candidates of a word.
        folder: Of the work.
        chinese: Whether texts hold Chinese.
        device: Where the network runs.
    """
    model, tokenizer = load_network(named)
    return finder_of(
        model, tokenizer, number, folder, chinese=chinese, device=device, bf16=named.bf16
    )


def finder_of(
    model: Any,
    tokenizer: Any,
    number: int,
    folder: Path,
    *,
    chinese: bool,
    device: str,
    bf16: bool,
) -> Finder:
    """The same with a network that is loaded."""
    table = neighbours.kept(folder)
    segment = load_segmenter(JIEBA, place="augmentation").cut if chinese else None
    return Finder(
        predictor_of(model.to(device), tokenizer, bf16=bf16),
        Pieces(tokenizer, "augmentation.model_name_or_path"),
        number,
        None if table is None else neighbours.Neighbours(table),
        segment,
    )


def device_of() -> str:
    """A GPU where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"

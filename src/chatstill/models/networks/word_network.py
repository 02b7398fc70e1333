"""What networks on word vectors have in common: where the vectors come from. No torch is loaded here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from .base import Network, NetworkBlock, Start, WordsBlock

if TYPE_CHECKING:
    from transformers import PreTrainedModel

RANDOM, TEACHER = "random", "teacher"


class VectorsBlock(WordsBlock):
    """Keys of a network on word vectors.

    Attributes:
        vectors: What words start as: ``random``, ``teacher``, or a text file of GloVe's or word2vec's
            format, gzip too.
    """

    vectors: str = RANDOM


class WordNetwork(Network):
    """A network whose input embeddings are vectors of words. Its block is a ``VectorsBlock``."""

    @classmethod
    def fill(cls, model: PreTrainedModel, block: NetworkBlock, start: Start) -> list[str]:
        from .word_vectors import fill_from_file, fill_from_teacher

        keys = cast(VectorsBlock, block)
        if keys.vectors == RANDOM:
            return ["word vectors start at random"]
        if keys.vectors == TEACHER:
            return fill_from_teacher(model, start)
        return fill_from_file(model, Path(keys.vectors), start)

    @classmethod
    def files(cls, block: NetworkBlock) -> Mapping[str, str]:
        keys = cast(VectorsBlock, block)
        named = {"user_dictionary": keys.user_dictionary}
        named["vectors"] = None if keys.vectors in (RANDOM, TEACHER) else keys.vectors
        return {key: file for key, file in named.items() if file is not None}

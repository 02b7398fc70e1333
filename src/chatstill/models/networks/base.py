"""The contract of a network that the package ships. No torch is loaded here, nor by a network's own
``__init__``: names, keys and checks must answer at once.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from ...errors import Said
from ...registry.names import nearest
from ...text.segment import SEGMENTERS

if TYPE_CHECKING:
    import numpy as np
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from ...data.kept import Kept

MOST_WORDS = 10_000_000


class NetworkBlock(BaseModel):
    """The key ``network`` of an architecture. Unknown keys are errors; ``note`` is a comment."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    note: Any = None


class SegmentedBlock(NetworkBlock):
    """Keys of a network whose texts are cut into words.

    Attributes:
        segmenter: What cuts texts into words: ``jieba``, ``words`` (Unicode word boundaries),
            ``characters``, ``pieces`` (the teacher's tokenizer), or any module with a function ``cut``.
            Left out: ``jieba`` where the training texts are mostly Chinese, else ``words``.
        user_dictionary: A dictionary file of jieba's format; its content is saved with the network.
    """

    segmenter: str | None = None
    user_dictionary: str | None = None


class WordsBlock(SegmentedBlock):
    """Keys of a network that knows words by a list.

    Attributes:
        min_count: Words that stand in the training texts less often are unknown.
        max_words: The most frequent words that are kept.
    """

    min_count: int = Field(default=1, ge=1, le=MOST_WORDS)
    max_words: int = Field(default=200_000, ge=1, le=MOST_WORDS)


@dataclass(frozen=True)
class Start:
    """What a network may start from.

    Attributes:
        tokenizer: The network's own.
        teacher: The teacher; None where the method has none.
        teacher_tokenizer: Its tokenizer.
        cache: Where what takes long may be kept; None keeps nothing.
        seed: Of what is random.
        kept: What was made before, and is to be kept; None keeps nothing.
        rarity: Gives how rare each word of the tokenizer is in the training texts, (V,) float32:
            log((1 + texts) / (1 + those with the word)) + 1, 0 for special ones.
    """

    tokenizer: PreTrainedTokenizerBase
    teacher: PreTrainedModel | None
    teacher_tokenizer: PreTrainedTokenizerBase | None
    cache: Path | None
    seed: int
    kept: Kept | None = None
    rarity: Callable[[], np.ndarray] | None = None


class Network:
    """A network of the package.

    Attributes:
        model_type: Its name, that of its config class and of its folder.
        summary: What it is, for ``chatstill list students``.
        Block: The keys of ``network`` in the user's file.
        made_by: The one method that makes it, out of its own block; empty where any method trains it.
        texts: How many texts a row may have.
        cuts_texts: Whether it cuts each text to a length of its config by itself.
        starts_from_files: Whether it starts from files of another program, in the folder that
            ``model_name_or_path`` names, else in ``data_dir``, else in the working directory; its block
            has the key ``folder``.
        beside_files: Model types of a ``config.json`` that may lie beside those files: of the network that
            wrote them, whose other weights are not taken.
        reads_bytes: Whether it reads words as bytes, and needs no list of them.
        places: Keys of its block that only say where files lie; the files count by their content.
        rate: The learning rate from random weights where a file names none; None: it goes by the width.
    """

    model_type: ClassVar[str]
    summary: ClassVar[str]
    Block: ClassVar[type[NetworkBlock]] = NetworkBlock
    made_by: ClassVar[str] = ""
    texts: ClassVar[tuple[int, ...]] = (1, 2)
    cuts_texts: ClassVar[bool] = False
    starts_from_files: ClassVar[bool] = False
    beside_files: ClassVar[tuple[str, ...]] = ()
    reads_bytes: ClassVar[bool] = False
    places: ClassVar[tuple[str, ...]] = ()
    rate: ClassVar[float | None] = None

    @classmethod
    def classes(cls) -> tuple[type[Any], type[Any]]:
        """Its config class and its ``PreTrainedModel``; imports torch.

        The model's ``gives`` names the features that it has (``logits``, ``vector``), which
        ``read_features(batch, needs)`` hands out; ``reads_sides`` says that it parts a row's two texts by
        ``token_type_ids``, 0 and 1. Where a row is classified by vectors of its texts, each made by itself,
        ``text_vectors(input_ids, attention_mask)`` and ``logits_of(vectors)`` are the two halves of its
        ``forward``: what makes an index of it possible. ``frozen_part()`` gives what of it is not trained and
        hangs on a text alone (``features.frozen``): that may be stored for later epochs.
        """
        raise NotImplementedError

    @classmethod
    def tokenizer_class(cls) -> type[Any]:
        """What its folders are read with; imports transformers."""
        from ...text.word_tokenizer import WordTokenizer

        return WordTokenizer

    @classmethod
    def find(cls, folders: Sequence[Path]) -> Path | Said:
        """Of a network that starts from files: the first folder that has them, or what lies there instead."""
        raise NotImplementedError

    @classmethod
    def build_config(
        cls, block: NetworkBlock, tokenizer: PreTrainedTokenizerBase, *, pairs: bool
    ) -> PretrainedConfig:
        """Its architecture for this tokenizer.

        Args:
            block: The user's keys, checked.
            tokenizer: What it reads with.
            pairs: Whether rows have two texts.
        """
        raise NotImplementedError

    @classmethod
    def suit(cls, config: PretrainedConfig, teacher: PretrainedConfig) -> None:
        """Fits what ``build_config`` gave to the teacher, where there is one: a width, for one."""

    @classmethod
    def use_plugins(cls, plugins: Sequence[str]) -> None:
        """Where parts of a user's own are looked for, before a network is built or loaded."""

    @classmethod
    def code(cls, config: PretrainedConfig) -> str:
        """sha256 of a user's file that takes part in a network; empty without one."""
        return ""

    @classmethod
    def fill(cls, model: PreTrainedModel, block: NetworkBlock, start: Start) -> list[str]:
        """Gives a network of random weights what it starts from; lines for the plan.

        Raises:
            UserError: what it is to start from cannot be read.
        """
        return []

    @classmethod
    def files(cls, block: NetworkBlock) -> Mapping[str, str]:
        """Files that the block names, by key: their content is part of the run's fingerprint."""
        return {}

    @classmethod
    def problems(cls, block: NetworkBlock) -> list[tuple[str, Said]]:
        """What can be told wrong before anything is loaded, by the key that it is about."""
        said = segmenter_fault(block.segmenter) if isinstance(block, SegmentedBlock) else None
        return [] if said is None else [("segmenter", said)]


def segmenter_fault(name: str | None) -> Said | None:
    """What is wrong with the name of a segmenter; nothing is loaded."""
    if name is None or name in SEGMENTERS or _is_module(name):
        return None
    near = nearest(name, SEGMENTERS)
    hint = f"Did you mean '{near}'? " if near else ""
    known = ", ".join(SEGMENTERS)
    hint += f"Known: {known}, or an installed module with a function `cut`."
    message = f"there is no segmenter or module '{name}' here."
    return Said(message, hint, code="segmenter.unknown")


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # of the package that it would be in
        return False

"""An ELMo student (Peters et al. 2018): a released language model over characters, and a small classifier.

Words are their bytes, so none is unknown. A character CNN, highways and a bidirectional LSTM of clipped
cells give each word the states of several layers; a learnt mix of them is the word's state, and h, a text's
vector, is their mean or maximum. A row of one text is h, of two texts [h1, h2, h1*h2, |h1-h2|], each read by
itself. A hidden layer with ReLU and the classifier follow.

The language model is that of two files, ``*options.json`` and ``*weights.hdf5``, in one folder. It stays as
it is, or is trained too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from ....errors import Problem, Said, UserError
from ..base import Network, NetworkBlock, SegmentedBlock, Start
from .files import find_files
from .options import Options, read_options

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

PLACE = "student_architectures.model_name_or_path"


class ElmoBlock(SegmentedBlock):
    """Keys of ``network`` for ``"model_type": "elmo"``.

    Attributes:
        folder: Of the two files; that of ``model_name_or_path``, ``data_dir`` or the working directory where
            it is left out.
        fine_tune: Whether the language model is trained too, or the mix and the classifier alone.
        pooling: ``mean`` or ``max`` of the words' states.
        layer_norm: Layers are brought to mean 0 and variance 1 before they are mixed, each text by its own.
        boundaries: The states of a text's begin and end count as those of words.
        hidden: Width of the layer before the classifier; 0 leaves it out.
        dropout: Of the words' mixed states.
        classifier_dropout: Before the hidden layer and before the classifier.
    """

    folder: str = ""
    fine_tune: bool = False
    pooling: Literal["mean", "max"] = "mean"
    layer_norm: bool = False
    boundaries: bool = False
    hidden: int = Field(default=256, ge=0, le=16_384)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    classifier_dropout: float = Field(default=0.1, ge=0, lt=1)


class Elmo(Network):
    """See the module."""

    model_type = "elmo"
    summary = "a released ELMo over characters and a small classifier; reads words as bytes"
    Block = ElmoBlock
    starts_from_files = True
    beside_files = ("bilm",)
    reads_bytes = True
    places = ("folder",)

    @classmethod
    def classes(cls) -> tuple[type[Any], type[Any]]:
        from .model import ElmoConfig, ElmoForSequenceClassification

        return ElmoConfig, ElmoForSequenceClassification

    @classmethod
    def tokenizer_class(cls) -> type[Any]:
        from ....text.byte_tokenizer import ByteTokenizer

        return ByteTokenizer

    @classmethod
    def find(cls, folders: Sequence[Path]) -> Path | Said:
        found = find_files(folders)
        return found if isinstance(found, Said) else found.options.parent

    @classmethod
    def files(cls, block: NetworkBlock) -> Mapping[str, str]:
        keys = cast(ElmoBlock, block)
        named = {"user_dictionary": keys.user_dictionary}
        found = find_files([Path(keys.folder)]) if keys.folder else None
        if found is not None and not isinstance(found, Said):
            named |= {key: str(file) for key, file in found._asdict().items()}
        return {key: file for key, file in named.items() if file is not None}

    @classmethod
    def problems(cls, block: NetworkBlock) -> list[tuple[str, Said]]:
        from .weights import read_weights

        problems = super().problems(block)
        keys = cast(ElmoBlock, block)
        if not keys.folder:  # told where it was looked for
            return problems
        found = find_files([Path(keys.folder)])
        if isinstance(found, Said):
            return [*problems, ("folder", found)]
        options = read_options(found.options)
        if not isinstance(options, Options):
            return [*problems, *(("folder", said) for said in options)]
        weights = read_weights(found.weights, options, values=False)
        faults = weights if isinstance(weights, list) else []
        return [*problems, *(("folder", said) for said in faults)]

    @classmethod
    def build_config(
        cls, block: NetworkBlock, tokenizer: PreTrainedTokenizerBase, *, pairs: bool
    ) -> PretrainedConfig:
        from .model import ElmoConfig
        from .weights import projects

        keys = cast(ElmoBlock, block)
        weights, options = _opened(keys.folder)
        lstm, letters = options.lstm, options.char_cnn
        return ElmoConfig(
            char_size=letters.embedding.dim,
            filters=letters.filters,
            highways=letters.n_highway,
            activation=letters.activation,
            token_projection=projects(weights, options),
            projection_size=lstm.projection_dim,
            cell_size=lstm.dim,
            lstm_layers=lstm.n_layers,
            cell_clip=lstm.cell_clip or 0.0,
            proj_clip=lstm.proj_clip or 0.0,
            residual=lstm.use_skip_connections,
            pooling=keys.pooling,
            mix_layer_norm=keys.layer_norm,
            boundaries=keys.boundaries,
            fine_tune=keys.fine_tune,
            classifier_size=keys.hidden,
            dropout=keys.dropout,
            classifier_dropout=keys.classifier_dropout,
            texts=1 + pairs,
            vocab_size=len(tokenizer),
            pad_token_id=tokenizer.pad_token_id,
            sep_token_id=tokenizer.sep_token_id,
        )

    @classmethod
    def fill(cls, model: PreTrainedModel, block: NetworkBlock, start: Start) -> list[str]:
        import torch

        from .weights import read_weights

        keys = cast(ElmoBlock, block)
        weights, options = _opened(keys.folder)
        arrays = read_weights(weights, options)
        if isinstance(arrays, list):
            raise _refused(arrays)
        bilm = cast(Any, model).elmo.bilm
        bilm.load_state_dict({name: torch.from_numpy(a.copy()) for name, a in arrays.items()})
        total = sum(array.size for array in arrays.values())
        learns = (
            "it is trained too"
            if keys.fine_tune
            else "it stays as it is: the mix of its layers and the classifier are trained"
        )
        return [
            f"but its language model is that of {weights}, {total:,} numbers",
            *_other_words(options, start.tokenizer),
            learns,
        ]


def _other_words(options: Options, tokenizer: Any) -> list[str]:
    """A line where the language model was trained on words that were cut otherwise."""
    said = options.chatstill if isinstance(options.chatstill, dict) else {}
    cut = tokenizer.cutter.name, tokenizer.do_lower_case
    trained = said.get("segmenter") or cut[0], said.get("lower_case", cut[1])
    if trained == cut:
        return []
    told = [f"'{name}'{', lower-cased' if lower else ''}" for name, lower in (trained, cut)]
    return [f"it was trained on other words: cut by {told[0]}, here by {told[1]}"]


def _opened(folder: str) -> tuple[Path, Options]:
    """The file of weights, and the options beside it.

    Raises:
        UserError: they are not there, or the options are faulty.
    """
    found = find_files([Path(folder)])
    if isinstance(found, Said):
        raise _refused([found])
    options = read_options(found.options)
    if not isinstance(options, Options):
        raise _refused(options)
    return found.weights, options


def _refused(faults: Sequence[Said]) -> UserError:
    return UserError([Problem(PLACE, said.message, said.hint, code=said.code) for said in faults])

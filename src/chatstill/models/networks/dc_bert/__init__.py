"""DC-BERT: an encoder for the question, one for the reply, and layers in which the two meet.

Zhang et al., SIGIR 2020 (arXiv 2002.12591). A reply's states do not depend on the question, so they are
computed once and stored; a question then costs one pass over a short text and the interaction with each
reply. ``sides`` parts a row of two texts, ``model`` is the network, ``interactions`` and ``transformer``
are what its last layers can be, ``own`` finds a user's class, ``build`` makes the network of a teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..base import Network
from .names import built_in, use_plugins

if TYPE_CHECKING:
    from transformers import PretrainedConfig


class DcBert(Network):
    """See the module."""

    model_type = "dc-bert"
    summary = (
        "two encoders, one for each text, and layers in which they meet; made by the method dc-bert"
    )
    made_by = "dc-bert"
    texts = (2,)
    cuts_texts = True

    @classmethod
    def classes(cls) -> tuple[type[Any], type[Any]]:
        from .config import DcBertConfig
        from .model import DcBertForSequenceClassification

        return DcBertConfig, DcBertForSequenceClassification

    @classmethod
    def code(cls, config: PretrainedConfig) -> str:
        from .own import own_interaction

        kind: str = config.last_layer_model_type
        return "" if built_in(kind) is not None else own_interaction(kind).code

    @classmethod
    def use_plugins(cls, plugins: Sequence[str]) -> None:
        use_plugins(plugins)

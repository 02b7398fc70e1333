"""Networks with a head over the vocabulary: loading, and what their last layer reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
)

from ..errors import Problem, UserError
from ..features.base import Needs
from ..features.capture import NoHead, capture, vocabulary_layer
from ..text.vocabulary import num_ids
from .architecture import Architecture, load_config
from .body import head_is_new
from .hub import quiet_transformers
from .load import LoadedModel, building, from_weights, require_layers, require_sizes
from .report import LoadReport, make_report
from .structure import structural_copy
from .whole import require_body

PADDED = 3  # tokens of padding in the trial
CLOSE = 1e-4  # of the largest score: the two ways to compute them differ in their last digits


def load_masked_lm(
    architecture: Architecture,
    *,
    role: str,
    cache_dir: str | None = None,
    seed: int = 42,
    decoders: bool = False,
    teaches: bool = False,
) -> LoadedModel:
    """A transformers network with a masked-LM head as an architecture block describes it.

    A head that the weights lack is new, and the report says so.

    Args:
        architecture: ``config_file`` alone gives random weights.
        role: ``pretrained``, for messages.
        cache_dir: Where files of the hub are kept.
        seed: Of every tensor that is not loaded. The global generator is not touched.
        decoders: Whether it may be one with a head for next tokens.
        teaches: Its body is used as it is: all of it must be in the weights, whatever names the architecture.

    Raises:
        UserError: as ``load_classifier``, and an architecture without such a head.
    """
    config = load_config(architecture, role, cache_dir)
    path = architecture.model_name_or_path
    place = f"{role}_architectures.{'model_name_or_path' if path else 'config_file'}"
    model_class = _class_of(config, place, decoders=decoders)
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.default_generator.manual_seed(seed)
        if not path:
            model = new_masked_lm(config, place, decoders=decoders)
            names = sorted(name for name, _ in model.named_parameters())
            return LoadedModel(model, LoadReport("", missing=names))
        model, info = from_weights(config, path, place, cache_dir, model_class)
    report = make_report(model, info, path)
    require_layers(model, report, place)
    own = architecture.config_file is None
    if own:
        require_sizes(model, report, place)
    if own or teaches:
        cut = not own or architecture.num_hidden_layers is not None
        require_body(model, report, place, cut=cut)
    return LoadedModel(model.eval(), report)


def new_masked_lm(
    config: PretrainedConfig, place: str, *, decoders: bool = False
) -> PreTrainedModel:
    """A network of random weights from the global generator, in eval mode.

    Raises:
        UserError: an architecture without a masked-LM head, or one that cannot be built.
    """
    with quiet_transformers(), building(config, place):
        kind = _class_of(config, place, decoders=decoders)
        model: PreTrainedModel = kind._from_config(config, dtype=torch.float32)
    return model.eval()


def _class_of(config: PretrainedConfig, place: str, *, decoders: bool) -> Any:
    if config.is_encoder_decoder:
        message = (
            f"a '{config.model_type}' is an encoder with a decoder, whose head predicts next tokens"
        )
        hint = "Name a network that is an encoder alone, such as a BERT, or a decoder alone."
        raise UserError(Problem(place, message, hint, code="corpus.encoder-with-decoder"))
    found = MODEL_FOR_MASKED_LM_MAPPING.get(type(config), None)
    if found is None and decoders:
        found = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    if found is None:
        message = f"transformers has no masked-LM head for a '{config.model_type}'"
        hint = "Name a BERT, RoBERTa, DistilBERT, ELECTRA … that reads both sides of a token."
        raise UserError(Problem(place, message, hint, code="corpus.no-masked-lm"))
    return found[0] if isinstance(found, list | tuple) else found


def is_decoder(model: nn.Module) -> bool:
    """Whether a token's attention meets none behind it."""
    return any(getattr(part, "is_causal", False) is True for part in model.modules())


def predicts_text(model: nn.Module) -> bool:
    """Whether it predicts the words of a text as they stand: nothing is masked for it."""
    return hasattr(model, "predictions") or is_decoder(model)


def head_missing(loaded: LoadedModel) -> bool:
    """Whether a part of the head is new though the body has weights."""
    return bool(loaded.report.source) and head_is_new(loaded.model, loaded.report)


def head_states(model: Any, batch: Mapping[str, Tensor]) -> Tensor:
    """What the layer over the vocabulary reads, (B, L, D); its scores are not computed.

    Args:
        model: The network, or a structure over its parameters.
        batch: Its inputs, among others.
    """
    head = capture(model, (), batch, Needs(vocabulary=True)).head
    assert head is not None
    return head


@torch.no_grad()
def head_problem(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Problem | None:
    """One short text through the network and, by hand, through its last layer.

    The network is left as it is.
    """
    ids = torch.tensor([tokenizer("a b")["input_ids"]])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    kind = model.config.model_type
    try:
        trial = structural_copy(model).train(False)
        scores = trial(**batch).logits
        weight, bias = vocabulary_layer(trial)
        by_hand = nn.functional.linear(head_states(trial, batch), weight, bias)
        padded = _padded_scores(trial, ids, tokenizer.pad_token_id)
    except NoHead:
        by_hand, padded = scores.new_zeros(0), scores
    except Exception as error:  # whatever a network raises that its configuration does not fit
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        message = f"the network cannot read a text ({type(error).__name__}: {reason})"
        hint = "Its config.json or its tokenizer's files do not fit its weights."
        return Problem("pretrained", message, hint, code="network.cannot-read-a-text")
    if scores.shape != by_hand.shape or not torch.allclose(
        scores, by_hand, atol=CLOSE * max(1.0, float(scores.abs().max()))
    ):
        message = f"the scores of a '{kind}' are more than one layer over the states before it"
        hint = "Networks whose last layer is a plain one over the vocabulary can be trained."
        return Problem("pretrained", message, hint, code="corpus.head-not-plain")
    if len(weight) < num_ids(tokenizer):
        message = f"its head knows {len(weight):,} pieces, the tokenizer has {len(tokenizer):,}"
        hint = "Name the tokenizer that the network was trained with: tokenizer_name_or_path."
        return Problem("pretrained", message, hint, code="corpus.head-of-another-vocabulary")
    if not torch.allclose(scores, padded, atol=CLOSE * max(1.0, float(scores.abs().max()))):
        message = f"the scores of a '{kind}' change with padding behind the text: it reads no attention_mask"
        hint = "Its figures depend on which blocks stand together in a batch."
        return Problem("pretrained", message, hint, "warning", code="corpus.padding-changes-scores")
    return None


def _padded_scores(model: Any, ids: Tensor, padding: object) -> Tensor:
    """(1, L, V) of a text with padding behind it, as blocks of a corpus are padded."""
    filler = torch.full((1, PADDED), padding if isinstance(padding, int) else 0)
    mask = torch.cat([torch.ones_like(ids), torch.zeros_like(filler)], 1)
    scores: Tensor = model(input_ids=torch.cat([ids, filler], 1), attention_mask=mask).logits
    return scores[:, : ids.shape[1]]

"""Tiny classifiers of many kinds, built in memory with fixed random weights."""

from typing import Any

import torch
import transformers as tf
from tests.draws import reseeded
from transformers import PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

BERT_LIKE = {
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "vocab_size": 40,
    "max_position_embeddings": 32,
}
DECODER = {**BERT_LIKE, "pad_token_id": 0, "num_key_value_heads": 1}
# Layer types: ModernBERT's layers are full, sliding, sliding, full ...; a window of 4 tokens shows
# it.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertConfig", BERT_LIKE),
    "roberta": ("RobertaConfig", {**BERT_LIKE, "pad_token_id": 0}),
    "electra": ("ElectraConfig", {**BERT_LIKE, "embedding_size": 8}),
    "distilbert": (
        "DistilBertConfig",
        {
            "dim": 16,
            "n_heads": 2,
            "hidden_dim": 24,
            "vocab_size": 40,
            "max_position_embeddings": 32,
        },
    ),
    "modernbert": (
        "ModernBertConfig",
        {**BERT_LIKE, "local_attention": 4, "pad_token_id": 0, "cls_token_id": 1},
    ),
    "deberta": ("DebertaConfig", BERT_LIKE),
    "deberta-v2": (
        "DebertaV2Config",
        {**BERT_LIKE, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    ),
    "mpnet": ("MPNetConfig", BERT_LIKE),
    "roformer": ("RoFormerConfig", BERT_LIKE),
    "llama": ("LlamaConfig", DECODER),
    "qwen2": ("Qwen2Config", DECODER),
    "qwen2-sliding": (
        "Qwen2Config",
        {
            **DECODER,
            "use_sliding_window": True,
            "sliding_window": 3,
            "layer_types": ["full_attention", "sliding_attention"] * 3,
        },
    ),
    "qwen3": ("Qwen3Config", {**DECODER, "head_dim": 8}),
    # Attention that sdpa has not: sinks, and scores with a cap.
    "gpt-oss": (
        "GptOssConfig",
        {
            **DECODER,
            "head_dim": 8,
            "sliding_window": 4,
            "num_local_experts": 2,
            "num_experts_per_tok": 1,
        },
    ),
    "gemma2": (
        "Gemma2Config",
        {
            **DECODER,
            "head_dim": 8,
            "query_pre_attn_scalar": 8,
            "attn_logit_softcapping": 2.0,
            "sliding_window": 4,
        },
    ),
    "gpt2": (
        "GPT2Config",
        {
            "n_embd": 16,
            "n_head": 2,
            "n_inner": 24,
            "vocab_size": 40,
            "n_positions": 32,
            "pad_token_id": 0,
        },
    ),
    "opt": (
        "OPTConfig",
        {
            "hidden_size": 16,
            "num_attention_heads": 2,
            "ffn_dim": 24,
            "vocab_size": 40,
            "max_position_embeddings": 32,
            "word_embed_proj_dim": 16,
            "pad_token_id": 0,
        },
    ),
}
DROPOUTS = (
    "hidden_dropout_prob attention_probs_dropout_prob dropout attention_dropout "
    "seq_classif_dropout "
    "embd_pdrop attn_pdrop resid_pdrop summary_first_dropout classifier_dropout activation_dropout"
).split()


def tiny_config(kind: str, layers: int = 6, *, dropout: float | None = None, **values: Any) -> Any:
    """A config of ``layers`` layers; ``dropout`` sets every dropout that the kind knows."""
    name, base = KINDS[kind]
    config = getattr(tf, name)(**{**base, "num_hidden_layers": layers, **values})
    for key in DROPOUTS:
        if dropout is not None and isinstance(getattr(config, key, None), float):
            setattr(config, key, dropout)
    return config


def tiny_model(
    kind: str = "bert", layers: int = 6, *, seed: int = 0, **values: Any
) -> PreTrainedModel:
    """A classifier whose weights are large enough that every layer shows in the logits."""
    config = tiny_config(kind, layers, **values)
    model_class = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(reseeded(seed))
        model = model_class(config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.2)
    return model.eval()


def tiny_batch(seed: int = 0) -> dict[str, torch.Tensor]:
    """Three rows of 9, 6 and 3 tokens, padded on the right."""
    generator = torch.Generator().manual_seed(reseeded(seed))
    ids = torch.randint(2, 40, (3, 9), generator=generator)
    mask = torch.arange(9)[None] < torch.tensor([9, 6, 3])[:, None]
    return {"input_ids": ids * mask, "attention_mask": mask.long()}


def tiny_bigbird() -> Any:
    """Pads to whole blocks itself; attends to blocks until it meets a row of few of them."""
    values = {**BERT_LIKE, "max_position_embeddings": 128}
    sizes = {"block_size": 4, "num_random_blocks": 1, "num_hidden_layers": 1}
    torch.manual_seed(reseeded(0))
    return tf.BigBirdForSequenceClassification(tf.BigBirdConfig(**{**values, **sizes})).eval()

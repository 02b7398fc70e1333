"""The model card of a bidirectional language model over words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .card import ended_part, figures_part

USE = """## Use

`options.json` and `weights.hdf5` are an ELMo in the format of bilm-tf and AllenNLP. A student starts from
this folder:

```json
{"model_type": "ELMOTaskDistill",
 "student_architectures": {"model_type": "elmo", "model_name_or_path": "path/to/this/folder"}}
```

`model.safetensors` holds the same weights and the layer over the vocabulary of `words.json`;
`chatstill evaluate` reads them.
"""
MEANING = (
    "`loss` is the mean of -log p of the next word and of the one before, over the words of each block and "
    "the ends of lines; words that the vocabulary lacks count as one. Next-token accuracy is the share where "
    "the likeliest word is right, perplexity is exp(loss).\n"
)


def bilm_card(
    method: str,
    max_seq_length: int,
    ended: Sequence[str],
    metrics: Mapping[str, Any] | None,
) -> str:
    """The card as Markdown.

    Args:
        method: Its name.
        max_seq_length: Words of a block.
        ended: Where and how training was ended before its time; empty where it was not.
        metrics: ``metrics.json``, or None where dev was not scored.
    """
    parts = [
        "---\npipeline_tag: feature-extraction\ntags:\n- chatstill\n---\n",
        f"# ELMo: {method}\n",
        "A bidirectional language model over the bytes of words, trained on a corpus from random weights by "
        f"chatstill, in blocks of up to {max_seq_length} words.\n",
        ended_part(ended),
        figures_part(metrics) + "\n" + MEANING
        if metrics
        else "It was not scored: the run had no evaluation.\n",
        USE,
    ]
    return "\n".join(part for part in parts if part)

"""The model card of a network that learned from a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .card import ended_part, figures_part

CODE = """## Use

```python
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

folder = "path/to/this/folder"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForMaskedLM.from_pretrained(folder).eval()
inputs = tokenizer(f"… {tokenizer.mask_token} …", return_tensors="pt")
with torch.no_grad():
    scores = model(**inputs).logits[inputs["input_ids"] == tokenizer.mask_token_id]
print(tokenizer.convert_ids_to_tokens(scores.topk(5).indices[0].tolist()))
```
"""
DECODER_CODE = """## Use

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = "path/to/this/folder"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder).eval()
inputs = tokenizer("…", return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs, max_new_tokens=20)[0]))
```
"""
BODY_CODE = """## Use

Fine-tune it on a task.

```python
from transformers import AutoModelForSequenceClassification, AutoTokenizer

folder = "path/to/this/folder"
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
```
"""
NO_HEAD = (
    "**It has no trained head** (no masked-LM head, no classifier): no term of the method reads one. It "
    "answers nothing yet.\n"
)
DECODER_MEANING = (
    "`loss` is the mean of -log p of the next token in each block's text. Next-token "
    "accuracy is the share of them where the likeliest piece is right, perplexity is exp(loss).\n"
)
MEANING = (
    "`loss` is the mean of -log p of the right piece at masked positions (15 % of each block, the same ones "
    "for every network). Masked accuracy is the share of them where the likeliest piece is "
    "right, pseudo-perplexity is exp(loss).\n"
)


def masked_card(
    method: str,
    start: str,
    max_seq_length: int,
    ended: Sequence[str],
    metrics: Mapping[str, Any] | None,
    *,
    taught: bool = False,
    with_head: bool = True,
    decoder: bool = False,
) -> str:
    """The card as Markdown.

    Args:
        method: Its name.
        start: What the network started from, or what taught it; empty for random weights.
        max_seq_length: Tokens of a block.
        ended: Where and how training was ended before its time; empty where it was not.
        metrics: ``metrics.json``, or None where dev was not scored.
        taught: Whether ``start`` is its teacher.
        with_head: Whether it has a head over the vocabulary.
        decoder: Whether that predicts next tokens, not masked ones.
    """
    began = f"from `{start}`" if start else "from random weights"
    if taught:
        began = f"by its teacher `{start}`"
    kind, task, code, meaning = "Masked language model", "fill-mask", CODE, MEANING
    if decoder:
        kind, task = "Language model", "text-generation"
        code, meaning = DECODER_CODE, DECODER_MEANING
    if not with_head:
        kind, task, code, meaning = "Encoder", "feature-extraction", BODY_CODE, ""
    parts = [
        f"---\nlibrary_name: transformers\npipeline_tag: {task}\ntags:\n- chatstill\n---\n",
        f"# {kind}: {method}\n",
        f"Trained on a corpus {began} by chatstill, in blocks of up to {max_seq_length} tokens.\n",
        "" if with_head else NO_HEAD,
        ended_part(ended),
        figures_part(metrics) + "\n" + meaning
        if metrics
        else "It was not scored: the run had no evaluation.\n",
        code,
    ]
    return "\n".join(part for part in parts if part)

"""A small Chinese BERT to start from, pre-trained here: no Chinese weights can be installed as a package.

Masked words (15 %) on paragraphs and texts, with plain transformers and torch: 4 layers, 256 wide.
It is no rival of published networks; it gives the Chinese sets of `few_labels.py` and `defaults.py` a
pretrained start.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
COMMON, LENGTH, BATCH, RATE, SEED = 3, 64, 64, 1e-3, 0
LAYERS, WIDTH, HEADS, POSITIONS = 4, 256, 4, 128


def vocabulary(texts: Iterable[str]) -> list[str]:
    """Characters and words that stand there three times or more, and letters as ``##`` pieces."""
    from tokenizers import normalizers, pre_tokenizers

    clean = normalizers.BertNormalizer(lowercase=True)
    cut = pre_tokenizers.BertPreTokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in cut.pre_tokenize_str(clean.normalize_str(text)))
    common = sorted((w for w, n in counts.items() if n >= COMMON), key=lambda w: (-counts[w], w))
    letters = sorted({sign for word in counts if word.isascii() for sign in word if sign.isalnum()})
    return list(dict.fromkeys([*SPECIAL, *common, *letters, *(f"##{sign}" for sign in letters)]))


def build(folder: Path, texts: list[str], epochs: int = 4, log: bool = True) -> Path:
    """The network and its tokenizer, made once; returns their folder."""
    target = folder / "model"
    if (target / "model.safetensors").is_file():
        return target
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizer

    pieces = vocabulary(texts)
    tokenizer = BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)})
    rows = _rows(tokenizer, texts)
    generator = torch.Generator().manual_seed(SEED)
    torch.manual_seed(SEED)
    config = BertConfig(
        vocab_size=len(pieces),
        num_hidden_layers=LAYERS,
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        max_position_embeddings=POSITIONS,
    )
    model = BertForMaskedLM(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    total = epochs * math.ceil(len(rows) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (0.1 * total), (total - step) / (0.9 * total))
    )
    began, losses = time.monotonic(), []
    for number in range(total):
        if number % math.ceil(len(rows) / BATCH) == 0:
            order = torch.randperm(len(rows), generator=generator)
        chosen = order[(number * BATCH) % len(rows) :][:BATCH]
        tokens = rows[chosen]
        wanted = (torch.rand(tokens.shape, generator=generator) < 0.15) & (tokens >= len(SPECIAL))
        inputs = tokens.masked_fill(wanted, SPECIAL.index("[MASK]"))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = model.bert(inputs, attention_mask=(tokens > 0).long()).last_hidden_state
            scores = model.cls(hidden[wanted])
        loss = torch.nn.functional.cross_entropy(scores.float(), tokens[wanted])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.item())
        if log and number % 100 == 99:
            mean = sum(losses[-100:]) / 100
            print(
                f"{number + 1}/{total} loss {mean:.3f} {time.monotonic() - began:.0f} s", flush=True
            )
    model.bert.save_pretrained(target.with_name("model.new"))
    tokenizer.save_pretrained(target.with_name("model.new"))
    facts = {"texts": len(texts), "rows": len(rows), "steps": total, "pieces": len(pieces)}
    facts |= {"loss": sum(losses[-100:]) / len(losses[-100:])}
    (target.with_name("pretraining.json")).write_text(json.dumps(facts) + "\n", encoding="utf-8")
    target.with_name("model.new").rename(target)
    return target


def _rows(tokenizer: object, texts: list[str]) -> "torch.Tensor":  # noqa: F821
    """(N, ``LENGTH``) token ids: texts, one after the other, cut into rows with a text's own ends."""
    import torch

    stream: list[int] = []
    for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]:  # type: ignore[operator]
        stream += [*ids, SPECIAL.index("[SEP]")]
    inner = LENGTH - 2
    parts = [stream[start : start + inner] for start in range(0, len(stream) - inner, inner)]
    first, last = SPECIAL.index("[CLS]"), SPECIAL.index("[SEP]")
    return torch.tensor([[first, *part, last] for part in parts])

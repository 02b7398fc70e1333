"""A small Chinese BERT of random weights: no Chinese weights can be installed as a package.

4 layers, 256 wide, with the characters and words of given texts. It gives the Chinese sets of
`few_labels.py` and `defaults.py` a network to start from, which has learnt nothing.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
COMMON, SEED = 3, 0
LAYERS, WIDTH, HEADS, POSITIONS = 4, 256, 4, 128


def vocabulary(texts: Iterable[str], common: int = COMMON) -> list[str]:
    """Pieces for texts: characters and words by frequency, and ``##`` letters for the rest.

    Args:
        texts: All of them.
        common: What stands there fewer times is left to [UNK].
    """
    from tokenizers import normalizers, pre_tokenizers

    clean = normalizers.BertNormalizer(lowercase=True)
    cut = pre_tokenizers.BertPreTokenizer()
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(word for word, _ in cut.pre_tokenize_str(clean.normalize_str(text)))
    often = sorted((w for w, n in counts.items() if n >= common), key=lambda w: (-counts[w], w))
    letters = sorted({sign for word in counts if word.isascii() for sign in word if sign.isalnum()})
    return list(dict.fromkeys([*SPECIAL, *often, *letters, *(f"##{sign}" for sign in letters)]))


def build(folder: Path, texts: Iterable[str], layers: int = LAYERS, width: int = WIDTH) -> Path:
    """The network and its tokenizer, made once; returns their folder."""
    target = folder / "model"
    if (target / "model.safetensors").is_file():
        return target
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    pieces = vocabulary(texts)
    tokenizer = BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)})
    torch.manual_seed(SEED)
    config = BertConfig(
        vocab_size=len(pieces),
        num_hidden_layers=layers,
        hidden_size=width,
        num_attention_heads=HEADS,
        intermediate_size=4 * width,
        max_position_embeddings=POSITIONS,
    )
    tokenizer.save_pretrained(target)
    BertModel(config).save_pretrained(target)
    return target

"""THUCNews titles: Chinese news titles in ten classes, as a task of one's own, and a network to start from.

``title TAB class number`` without header, in ``train.txt`` and ``dev.txt``. The file is a plugin
(``"plugins": ["benchmarks/thucnews.py"]``). Its teacher is trained from scratch, so the network that
all arms start from is built here: a BERT of the other tasks' size with the characters and words of the
training titles.
"""

from pathlib import Path

import small_chinese
from chatstill.tasks.glue import GlueRow, Layout, classes
from chatstill.tasks.glue_task import GlueTask
from chatstill.tasks.reading import read_rows

NAMES = "finance realty stocks education science society politics sports game entertainment".split()
NETWORK = "thucnews-bert-6x384"
COMMON = 2  # pieces that stand in fewer titles are left to [UNK]
LENGTH = 64
LAYERS, WIDTH, HEADS = 6, 384, 12

task = GlueTask(
    GlueRow(
        name="thucnews",
        folder="THUCNews",
        labels=classes(*((name,) for name in NAMES)),
        words=tuple(map(str, range(len(NAMES)))),
        layouts=(Layout(("title", "class"), text_a=0, label=1, header=False),),
        metrics=("acc",),
        main_metric="acc",
    )
)


def vocabulary(path: Path) -> list[str]:
    """Pieces of a file of titles.

    Args:
        path: ``title TAB class``.
    """
    return small_chinese.vocabulary((fields[0] for _, fields in read_rows(path)), COMMON)


def build_network(folder: Path, titles: Path, seed: int = 0) -> Path:
    """The random network and its tokenizer, made once; the same for the same titles.

    Returns:
        ``folder/thucnews-bert-6x384/model``.
    """
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    target = folder / NETWORK / "model"
    if (target / "model.safetensors").is_file():
        return target
    pieces = vocabulary(titles)
    tokenizer = BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)})
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(pieces),
        num_hidden_layers=LAYERS,
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
        max_position_embeddings=LENGTH,
    )
    tokenizer.save_pretrained(target)
    BertModel(config).save_pretrained(target)
    return target

"""A small world to run in: chat rows and GLUE files that can be learned in seconds, tiny networks that
know them, and configurations around both."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as tf
from rich.console import Console

from chatstill.config import Loaded, load
from tests.draws import reseeded

GOOD = ("sure", "fine", "yes", "gladly")
BAD = ("never", "no", "wrong", "bad")
WORDS = "where is the red box a cat we can go home now ask me why you sing".split()
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *GOOD, *BAD]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
KINDS = ("bert", "roberta", "electra", "distilbert", "llama")


# -- texts -----------------------------------------------------------------------------------------


def sentence(generator: np.random.Generator, *, good: int = 0, bad: int = 0) -> str:
    """Two to five plain words, and the words that make it good or bad."""
    words = list(generator.choice(WORDS, generator.integers(2, 6)))
    words += [*generator.choice(GOOD, good), *generator.choice(BAD, bad)]
    generator.shuffle(words)
    return " ".join(words)


def chat_rows(queries: int, replies: int = 4, seed: int = 0) -> list[str]:
    """``query TAB reply TAB label``: the reply with a good word belongs to the query."""
    generator = np.random.default_rng(reseeded(seed))
    rows = []
    for number in range(queries):
        query = f"{sentence(generator)} {WORDS[number % len(WORDS)]}"
        right = int(generator.integers(replies))
        for place in range(replies):
            is_right = place == right
            reply = sentence(generator, good=int(is_right), bad=int(not is_right))
            rows.append(f"{query}\t{reply}\t{int(is_right)}")
    return rows


def write_chat(folder: Path, *, train: int = 12, dev: int = 15, test: int = 0) -> Path:
    """Chat files with so many queries of four replies each."""
    (folder / "chat").mkdir(parents=True, exist_ok=True)
    for seed, (split, queries) in enumerate((("train", train), ("dev", dev), ("test", test))):
        if queries:
            text = "\n".join(chat_rows(queries, seed=seed)) + "\n"
            (folder / "chat" / f"{split}.data.txt").write_text(text, encoding="utf-8")
    return folder


def write_sst2(folder: Path, *, train: int = 48, dev: int = 60) -> Path:
    """``sentence TAB label``, as GLUE's files."""
    (folder / "SST-2").mkdir(parents=True, exist_ok=True)
    for seed, (split, count) in enumerate((("train", train), ("dev", dev))):
        generator = np.random.default_rng(reseeded(seed))
        lines = ["sentence\tlabel"]
        for label in generator.integers(0, 2, count).tolist():
            lines.append(f"{sentence(generator, good=label, bad=1 - label)}\t{label}")
        text = "\n".join(lines) + "\n"
        (folder / "SST-2" / f"{split}.tsv").write_text(text, encoding="utf-8")
    return folder


def write_stsb(folder: Path, *, train: int = 48, dev: int = 60) -> Path:
    """Pairs whose score is the number of good words in the second sentence."""
    (folder / "STS-B").mkdir(parents=True, exist_ok=True)
    header = "index genre filename year old_index source1 source2 sentence1 sentence2 score"
    for seed, (split, count) in enumerate((("train", train), ("dev", dev))):
        generator = np.random.default_rng(reseeded(seed))
        lines = ["\t".join(header.split())]
        for number, score in enumerate(generator.integers(0, 6, count).tolist()):
            texts = (sentence(generator), sentence(generator, good=score))
            lines.append("\t".join((str(number), *"gfyoab", *texts, f"{score}.000")))
        text = "\n".join(lines) + "\n"
        (folder / "STS-B" / f"{split}.tsv").write_text(text, encoding="utf-8")
    return folder


# -- networks --------------------------------------------------------------------------------------


def tokenizer_of(kind: str) -> Any:
    """The family's own tokenizer, with a vocabulary made on the spot."""
    if kind in ("roberta", "llama"):
        space = "Ġ" if kind == "roberta" else "▁"
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        pieces = [*special, *LETTERS, space]
        merges = []
        for word in (*GOOD, *BAD, *WORDS):  # whole words
            for end in range(2, len(word) + 1):
                if word[:end] not in pieces:
                    pieces.append(word[:end])
                    merges.append((word[: end - 1], word[end - 1]))
        vocab = {piece: number for number, piece in enumerate(pieces)}
        if kind == "roberta":
            return tf.RobertaTokenizer(vocab=vocab, merges=merges)
        tokenizer = tf.LlamaTokenizer(vocab=vocab, merges=merges, add_bos_token=True)
        tokenizer.pad_token = "<pad>"
        return tokenizer
    vocab = {piece: number for number, piece in enumerate(PIECES)}
    names = {
        "bert": "BertTokenizer",
        "electra": "ElectraTokenizer",
        "distilbert": "DistilBertTokenizer",
        "modernbert": "BertTokenizer",
    }
    return getattr(tf, names[kind])(vocab=vocab)


def config_of(kind: str, vocabulary: int, layers: int, dropout: float) -> Any:
    """A configuration of width 16."""
    common = {"vocab_size": vocabulary, "num_hidden_layers": layers}
    like_bert = {
        **common,
        "hidden_size": 16,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "max_position_embeddings": 64,
    }
    dropouts = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    if kind == "bert":
        return tf.BertConfig(**like_bert, **dropouts)
    if kind == "roberta":
        return tf.RobertaConfig(**like_bert, **dropouts, pad_token_id=1, type_vocab_size=1)
    if kind == "electra":
        return tf.ElectraConfig(**like_bert, **dropouts, embedding_size=8)
    if kind == "distilbert":
        sizes = {"dim": 16, "n_heads": 2, "hidden_dim": 24, "max_position_embeddings": 64}
        return tf.DistilBertConfig(
            **common, **sizes, dropout=dropout, attention_dropout=dropout, seq_classif_dropout=0.1
        )
    if kind == "modernbert":
        ids = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3}
        ids |= {"bos_token_id": 2, "eos_token_id": 3}
        return tf.ModernBertConfig(**like_bert, **ids)
    return tf.LlamaConfig(**like_bert, num_key_value_heads=1, pad_token_id=1)


def build_network(
    folder: Path,
    kind: str = "bert",
    *,
    layers: int = 4,
    outputs: int = 2,
    dropout: float = 0.1,
    seed: int = 0,
) -> Path:
    """A folder with a random network and its tokenizer."""
    tokenizer = tokenizer_of(kind)
    torch.manual_seed(reseeded(seed))
    config = config_of(kind, len(tokenizer), layers, dropout)
    config.num_labels = outputs
    model = tf.AutoModelForSequenceClassification.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def stsb_examples() -> tuple[list[tuple[str, ...]], list[float]]:
    generator = np.random.default_rng(reseeded(9))
    scores = generator.integers(0, 6, 96).tolist()
    texts = [(sentence(generator), sentence(generator, good=v)) for v in scores]
    return texts, [float(v) for v in scores]


# -- runs ------------------------------------------------------------------------------------------


def values_for(data: Path, output: Path, teacher: Path, **changes: Any) -> dict[str, Any]:
    """A configuration of two epochs of six steps, a checkpoint every four."""
    values: dict[str, Any] = {
        "model_type": "theseus-bert",
        "task_name": "chat",
        "data_dir": str(data),
        "output_dir": str(output),
        "teacher_architectures": {"model_name_or_path": str(teacher)},
        "theseus_scheduler": {"replacing_rate": 0.5, "scheduler_linear_k": "auto"},
        "max_seq_length": 32,
        "per_gpu_train_batch_size": 8,
        "num_train_epochs": 2,
        "learning_rate": 0.003,
        "keep": "last",
        "save_steps": 4,
        "logging_steps": 2,
        "seed": reseeded(5),
    }
    values.update(changes)
    return {key: value for key, value in values.items() if value is not None}


def loaded(values: dict[str, Any], folder: Path, verb: str = "distill") -> Loaded:
    """The configuration, through a file as a user writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{verb}.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    return load(path, [], verb=verb)


def console() -> Console:
    """Plain lines into memory: ``console().file.getvalue()``."""
    return Console(file=io.StringIO(), width=160)


def said(where: Console) -> str:
    assert isinstance(where.file, io.StringIO)
    return where.file.getvalue()


def distilled(values: dict[str, Any], folder: Path) -> str:
    """Distils by a configuration; what was printed."""
    from chatstill.run import run as pipeline

    where = console()
    pipeline.distill(loaded(values, folder), console=where)
    return said(where)


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    assert weights, "what is compared weight by weight has some"
    return weights

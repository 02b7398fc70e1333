"""A tiny tokenizer and rows for the data tests."""

import pytest
from example_rows import make_example

PIECES = "[PAD] [UNK] [CLS] [SEP] [MASK] hello good day the a b c d 我 是 你 好 ##s ! 。"


@pytest.fixture(scope="session")
def bert():
    from transformers import BertTokenizer

    return BertTokenizer(vocab={piece: number for number, piece in enumerate(PIECES.split())})


@pytest.fixture(scope="session")
def rows():
    words = "hello good day 我是 你好 ＡＢ😀 a b c d !".split()
    return [
        make_example(
            row,
            " ".join(words[(row + at) % len(words)] for at in range(row % 9)),
            " ".join(words[(3 * row + at) % len(words)] for at in range(row % 4))
            if row % 3
            else None,
            row % 2,
            f"query {row // 4}" if row % 4 else None,
        )
        for row in range(60)
    ]

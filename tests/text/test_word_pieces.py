"""Rows to ids: equal to transformers where it can do the same, to a plain reference elsewhere."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.found import refused

from chatstill.data.encoded import Lengths
from chatstill.readers.word_pieces import RowEncoder
from chatstill.text.longest_first import longest_first

TEXTS = [
    "hello good day",
    "",
    "unaffable playing, played!",
    "我是你好的的的 ＡＢＣ 😀👨‍👩‍👧 é",
    "a b c d 1 2 3 " * 9,
    " spaces  and\ttabs ",
    "a [SEP] b </s> c",
]


def rows_of(encoded):
    rows, start = [], 0
    for length in encoded.lengths.tolist():
        rows.append(
            (
                encoded.ids[start : start + length].tolist(),
                encoded.types[start : start + length].tolist(),
            )
        )
        start += length
    assert start == len(encoded.ids) == len(encoded.types)
    return rows


def own(tokenizer, text_a, text_b, **options):
    """What the tokenizer itself gives: (ids, types)."""
    pair = None if text_b is None else [text_b]
    whole = tokenizer([text_a], pair, return_token_type_ids=True, padding=False, **options)
    return whole["input_ids"][0], whole["token_type_ids"][0]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("length", [9, 14, 512])
def test_equals_the_tokenizer_itself(family, side, length):
    family.truncation_side = side
    pairs = [(text_a, text_b) for text_a in TEXTS for text_b in [None, *TEXTS]]
    encoder = RowEncoder(family, Lengths(length, truncation_side=side))
    encoded = encoder([row[0] for row in pairs], [row[1] for row in pairs])
    try:
        for row, (pair, got) in enumerate(zip(pairs, rows_of(encoded), strict=True)):
            expected = own(family, *pair, truncation="longest_first", max_length=length)
            if not expected[0]:
                continue  # a decoder's row of nothing gets one token here
            assert got == expected, pair
            uncut, _ = own(family, *pair, truncation=False, verbose=False)
            assert encoded.cut[row] == (len(uncut) > length)
    finally:
        family.truncation_side = "right"


def slow_reference(tokenizer, text_a, text_b, lengths):
    """Token by token: each side to its length, then one token off the longer side at a time."""

    def plain(text):
        return tokenizer([text], add_special_tokens=False)["input_ids"][0]

    sides = [plain(text_a), [] if text_b is None else plain(text_b)]
    special = tokenizer.num_special_tokens_to_add(pair=text_b is not None)
    drop = -1 if lengths.truncation_side == "right" else 0
    for ids, limit in zip(sides, (lengths.max_query_length, lengths.max_reply_length), strict=True):
        while limit is not None and len(ids) > limit:
            ids.pop(drop)
    first_longer = len(sides[0]) > len(sides[1])
    while len(sides[0]) + len(sides[1]) + special > lengths.max_seq_length:
        # Among equals the side that was the longer one keeps the odd token.
        equal = len(sides[0]) == len(sides[1])
        longer = int(first_longer) if equal else int(len(sides[1]) > len(sides[0]))
        sides[longer].pop(drop)
    return sides


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text_a=st.lists(st.sampled_from("hello playing 你 。 zz a 😀".split()), max_size=14).map(
        " ".join
    ),
    text_b=st.none()
    | st.lists(st.sampled_from("good day 是 b !".split()), max_size=14).map(" ".join),
    query=st.none() | st.integers(1, 9),
    reply=st.none() | st.integers(1, 9),
    length=st.integers(5, 20),
    side=st.sampled_from(["left", "right"]),
)
def test_each_side_is_cut_before_the_pair(bert, text_a, text_b, query, reply, length, side):
    lengths = Lengths(length, query, reply, side)
    encoded = RowEncoder(bert, lengths)([text_a], [text_b])
    part_a, part_b = slow_reference(bert, text_a, text_b, lengths)
    start, stop = bert.cls_token_id, bert.sep_token_id
    expected = [start, *part_a, stop] + ([] if text_b is None else [*part_b, stop])
    assert encoded.ids.tolist() == expected
    tail = 0 if text_b is None else len(part_b) + 1
    assert encoded.types.tolist() == [0] * (len(part_a) + 2) + [1] * tail
    whole = slow_reference(bert, text_a, text_b, Lengths(10_000))
    assert bool(encoded.cut[0]) == ([part_a, part_b] != whole)


def test_roberta_keeps_both_separators(roberta):
    encoded = RowEncoder(roberta, Lengths(512, 2, 1))(["abc"], ["def"])
    known = roberta.get_vocab()
    assert encoded.ids.tolist() == [0, known["a"], known["b"], 2, 2, known["d"], 2]
    assert not encoded.types.any()


def test_a_row_of_nothing_gets_a_token(llama):
    llama_plain = RowEncoder(llama, Lengths(8))
    llama_plain._single = llama_plain._layout(pair=False).__class__(
        ([], [], []), ([], [], []), 0, 0
    )
    encoded = llama_plain(["", "a"], [None, None])
    assert encoded.lengths.tolist()[0] == 1
    assert encoded.ids[0] == llama.eos_token_id


def test_baked_in_truncation_and_padding_are_not_followed(minilm):
    # The package's tokenizer.json pads everything to 128 and cuts there.
    encoded = RowEncoder(minilm, Lengths(300))(["good day " * 100, "hello"], [None, None])
    assert encoded.lengths.tolist() == [202, 3]
    assert not encoded.cut.any()


def test_length_without_room_is_refused(bert):
    with refused("lengths.no-room-for-texts", "max_seq_length: 4"):
        RowEncoder(bert, Lengths(4))(["a"], ["b"])
    assert RowEncoder(bert, Lengths(4))(["a b c"], [None]).lengths.tolist() == [4]


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 60))
def test_longest_first_fills_the_room(num_a, num_b, room):
    if num_a + num_b <= room:
        return
    kept_a, kept_b = longest_first(num_a, num_b, room)
    assert kept_a + kept_b == room
    assert 0 <= kept_a <= num_a and 0 <= kept_b <= num_b
    if kept_a < num_a and kept_b < num_b:
        assert abs(kept_a - kept_b) <= 1


def test_turns_stand_before_the_first_text_with_the_separator_between(bert):
    contexts = [("play", "ing"), (), ("good",)]
    rows = RowEncoder(bert, Lengths(32))(["you", "me", "day"], ["ok", "ok", None], contexts)
    found = [
        bert.convert_ids_to_tokens(ids) for ids in np.split(rows.ids, np.cumsum(rows.lengths)[:-1])
    ]
    separate = [
        bert(" [SEP] ".join((*turns, text)), second)["input_ids"]
        for turns, text, second in zip(
            contexts, ("you", "me", "day"), ("ok", "ok", None), strict=True
        )
    ]
    assert found == [bert.convert_ids_to_tokens(ids) for ids in separate]
    assert not rows.cut.any()


def test_the_oldest_turns_are_cut_first(bert):
    def tokens(length, **lengths):
        encoder = RowEncoder(bert, Lengths(length, **lengths))
        rows = encoder(["c d"], ["b"], [("a a a", "b")])
        return " ".join(bert.convert_ids_to_tokens(rows.ids))

    whole = tokens(32).removeprefix("[CLS] ").rsplit(" [SEP] ", 1)[0]
    assert whole == "a a a [SEP] b [SEP] c d"
    for length in range(5, 12):
        for side in ("left", "right"):
            kept = tokens(length, truncation_side=side).removeprefix("[CLS] ")
            kept = kept.rsplit(" [SEP] ", 1)[0]
            assert whole.endswith(kept) and not kept.startswith("[SEP]"), (length, kept)


def test_lines_put_together_are_one_text_to_every_tokenizer(family):
    encoder = RowEncoder(family, Lengths(32))
    lines = ["good day", "hello", "you me"]
    joined = [encoder.joint + line if number else line for number, line in enumerate(lines)]
    ids = [number for line in encoder.ids_of(joined) for number in line]
    assert ids == encoder.ids_of([" ".join(lines)])[0]


def test_a_blank_is_put_before_a_line_where_it_is_part_of_the_next_word(bert, llama, roberta):
    found = [RowEncoder(one, Lengths(32)).joint for one in (bert, llama, roberta)]
    assert found == ["", "", " "]

"""Made-up inputs: bytes cut and spliced anywhere, configurations and tables changed in their structure."""

import copy
import json

from hypothesis import strategies as st

HOW_MANY = st.sampled_from([1, 1, 1, 1, 2, 2, 3, 5])
NASTY = [
    *(b"\x00", b"\t", b"\n", b"\r\n", b"\r", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff", b'"', b"\\"),
    *(b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xf0\x9f", b"\x1a", b"\x7f", b"nan", b"-1", b"1e999"),
    *(
        "\u2028".encode(),
        "\u200d".encode(),
        "\u202e".encode(),
        "\ufeff".encode(),
        "全角ＡＢ".encode(),
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"//",
        b"null",
        b"NaN",
        b"9" * 30,
        b"\\ud800",
        b"x" * 3000,
    ),
]


@st.composite
def spliced(draw, content: bytes):
    """The content with pieces cut out, doubled, moved, or replaced by others, at any byte."""
    for _ in range(draw(HOW_MANY)):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from([0, 0, 1, 1, 2, 7, 40, 300, 10**6])))
        what = draw(st.sampled_from(["nasty", "nasty", "random", "cut", "double", "flip"]))
        if what == "nasty":
            middle = draw(st.sampled_from(NASTY))
        elif what == "random":
            middle = draw(st.binary(max_size=6))
        elif what == "double":
            middle = content[start:end] * 2
        elif what == "flip" and start < len(content):
            middle, end = bytes([content[start] ^ (1 << draw(st.integers(0, 7)))]), start + 1
        else:
            middle = b""
        content = content[:start] + middle + content[end:]
    return content


FIELDS = [
    "",
    " ",
    "0",
    "1",
    "2",
    "-1",
    "1.0",
    "nan",
    "entailment",
    "x",
    "\x00",
    "\u2028",
    "\r",
    "😀",
]


@st.composite
def changed_table(draw, content: bytes):
    """Rows and fields of a TAB-separated file dropped, doubled, swapped or given other values."""
    rows = [line.split("\t") for line in content.decode("utf-8").split("\n")]
    for _ in range(draw(HOW_MANY)):
        number = draw(st.integers(0, len(rows) - 1))
        column = draw(st.integers(0, len(rows[number])))
        what = draw(st.sampled_from(["field", "insert", "drop", "swap", "row", "double", "cut"]))
        row = list(rows[number])
        if what == "insert" or (what in ("field", "drop") and column == len(row)):
            row.insert(column, draw(field()))
        elif what == "field":
            row[column] = draw(field())
        elif what == "drop":
            del row[column]
        elif what == "swap":
            other = draw(st.integers(0, len(rows) - 1))
            rows[other], row = row, rows[other]
        rows[number] = row
        if what == "double":
            rows.insert(number, list(row))
        elif what == "row" and len(rows) > 1:
            del rows[number]
        elif what == "cut":
            rows = rows[: number + 1]
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    start = draw(st.sampled_from([b"", b"", b"\xef\xbb\xbf"]))
    text = end.join("\t".join(row) for row in rows)
    return start + text.encode("utf-8", "surrogatepass")


def field():
    return st.one_of(st.sampled_from(FIELDS), st.text(max_size=8), st.just("很" * 2100))


numbers = st.one_of(
    st.integers(-2, 70),
    st.sampled_from(
        [0.0, -0.0, 0.5, 1.0, 1e-300, 1e300, -1e300, 2**31, 2**63, 2**64, -(2**63), 10**40]
    ),
    st.floats(allow_nan=True, allow_infinity=True),
)
words = st.one_of(
    st.text(max_size=6).filter(
        lambda text: "/" not in text and ".." not in text and "~" not in text
    ),
    st.sampled_from(
        [
            *("theseus", "chat", "sst2", "stsb", "mnli", "ax", "teacher1", "teacher2", "teacher3"),
            *(
                "data",
                "my.json",
                "auto",
                "best",
                "last",
                "left",
                "linear",
                "constant",
                "out",
                "new",
            ),
            *("teacher2/config.json", "teacher2/vocab.txt", "teacher2/model.safetensors", "none"),
            *(
                "bert",
                "roberta",
                "data/chat",
                "data/chat/train.data.txt",
                "...",
                "true",
                "1",
                "gelu",
            ),
        ]
    ),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, words)


def blocks(value: object) -> list[dict]:
    """Every object inside a JSON value, itself first."""
    if isinstance(value, dict):
        return [value, *(found for inner in value.values() for found in blocks(inner))]
    if isinstance(value, list):
        return [found for inner in value for found in blocks(inner)]
    return []


def keys_of(value: object) -> list[str]:
    return sorted({key for block in blocks(value) for key in block})


def alike(value: object):
    """Values of the same kind: what is most likely to be taken, and to go wrong later."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int | float):
        return numbers
    return words if isinstance(value, str) else scalars


@st.composite
def changed_json(draw, values: dict, more: dict):
    """An object with keys dropped, renamed, given other values, moved into or out of blocks.

    ``more`` holds further keys, each with a value of the kind that it takes.
    """
    values = copy.deepcopy(values)
    keys = [*keys_of(values), *more]
    anything = st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(keys), inner, max_size=3),
        ),
        max_leaves=5,
    )
    for _ in range(draw(HOW_MANY)):
        what = draw(
            st.sampled_from(["alike"] * 3 + ["add"] * 3 + ["anything", "drop", "rename", "nest"])
        )
        block = draw(st.sampled_from(blocks(values)))
        key = draw(st.sampled_from([*block, *more]))
        if what == "add":
            block, key = values, draw(st.sampled_from([*more]))
            block[key] = draw(alike(more[key]))
        elif what in ("alike", "anything") or key not in block:
            kind = block.get(key, more.get(key))
            block[key] = draw(anything if what == "anything" else alike(kind))
        elif what == "drop":
            del block[key]
        elif what == "rename":
            block[draw(st.one_of(st.sampled_from(keys), st.text(max_size=5)))] = block.pop(key)
        else:
            block[key] = {draw(st.sampled_from(keys)): block[key]}
    return values


@st.composite
def one_key_changed(draw, values: dict, more: dict):
    """An object with one key at another value of its own kind: what most often gets through."""
    values = copy.deepcopy(values)
    block = draw(st.sampled_from([values, *blocks(values)]))
    keys = {**more, **block} if block is values else block
    key = draw(st.sampled_from([key for key, value in keys.items() if not isinstance(value, dict)]))
    block[key] = draw(alike(keys[key]))
    return values


def as_bytes(values: object) -> bytes:
    """JSON as a file; lone surrogates, which no file can hold as UTF-8, are escaped."""
    text = json.dumps(values, ensure_ascii=False, indent=1)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(values).encode("ascii")

"""Where a tokenizer comes from, and that one which knows no words is never taken."""

import copy
import json
from pathlib import Path

import pytest
from tests.found import refused
from transformers import AddedToken, AutoTokenizer, BertTokenizer, PythonBackend

from chatstill.errors import UserError
from chatstill.text import tokenizers as own
from chatstill.text.normalize import with_nfkc
from chatstill.text.plain_ids import plain_ids
from chatstill.text.vocabulary import looks_cased, read_vocabulary


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def vocab_folder(tmp_path, pieces):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return folder


def write_json(path, **values):
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def test_a_vocabulary_file_is_read_whole(vocab_folder, pieces):
    for place in (vocab_folder, vocab_folder / "vocab.txt"):
        tokenizer = own.resolve_tokenizer(str(place), None, None, True)
        assert len(tokenizer) == len(pieces)
        words = tokenizer.convert_ids_to_tokens(tokenizer("playing 你")["input_ids"])
        assert words == ["[CLS]", "play", "##ing", "你", "[SEP]"]


@pytest.mark.parametrize("model_type", ["bert", "electra", "distilbert", None])
def test_vocabulary_beside_weights_or_configuration(vocab_folder, tmp_path, pieces, model_type):
    values = {} if model_type is None else {"model_type": model_type}
    config = write_json(vocab_folder / "bert_config.json", **values)
    (vocab_folder / "model.safetensors").write_bytes(b"")
    empty = tmp_path / "weights only"
    empty.mkdir()
    for weights, config_file in (
        (vocab_folder / "model.safetensors", None),
        (empty, config),
        (None, config),
        (vocab_folder, config),
    ):
        name = None if weights is None else str(weights)
        tokenizer = own.resolve_tokenizer(None, name, config_file and str(config_file))
        assert len(tokenizer) == len(pieces)
        if config_file is not None:
            assert ("token_type_ids" in tokenizer("a")) == (model_type != "distilbert")


def test_the_explicit_one_goes_first(vocab_folder, tmp_path, pieces):
    other = tmp_path / "other.txt"
    other.write_text("\n".join([*pieces, "extra"]), encoding="utf-8")
    tokenizer = own.resolve_tokenizer(str(other), str(vocab_folder), None)
    assert len(tokenizer) == len(pieces) + 1


def test_saved_folders_and_bare_json(bert, roberta, llama, tmp_path):
    for number, tokenizer in enumerate((bert, roberta, llama)):
        folder = tmp_path / str(number)
        tokenizer.save_pretrained(folder)
        again = own.resolve_tokenizer(None, str(folder), None)
        assert (
            again("hello good day", "a b")["input_ids"]
            == tokenizer("hello good day", "a b")["input_ids"]
        )
        assert own.tokenizer_fingerprint(again) == own.tokenizer_fingerprint(tokenizer)
        bare = tmp_path / f"{number}.json"
        tokenizer.backend_tokenizer.save(str(bare))
        assert own.resolve_tokenizer(str(bare), None, None).pad_token is not None


def test_config_alone_is_no_tokenizer(tmp_path):
    write_json(tmp_path / "config.json", model_type="bert")
    with refused("tokenizer.not-in-the-folder"):
        own.resolve_tokenizer(None, str(tmp_path), None)


def test_every_place_that_was_tried_is_named(tmp_path):
    with pytest.raises(UserError) as caught:
        own.resolve_tokenizer(None, str(tmp_path / "w.bin"), str(tmp_path / "c.json"))
    assert [problem.place for problem in caught.value.problems] == [
        str(tmp_path / "w.bin"),
        str(tmp_path / "c.json"),
    ]
    with pytest.raises(
        UserError, match=r"nobody/nothing is no folder here (?s:.)*tokenizer's files"
    ):
        own.resolve_tokenizer("nobody/nothing", None, None)
    with refused("tokenizer.none-to-load"):
        own.resolve_tokenizer(None, None, None)


def test_the_silent_five_token_tokenizer_is_refused(vocab_folder, tmp_path):
    from transformers import BertTokenizerFast

    silent = BertTokenizerFast(vocab_file=str(vocab_folder / "vocab.txt"))
    assert len(silent) == 5  # the library's trap: should this fail, the guard may go
    silent.save_pretrained(tmp_path / "saved")
    with refused("tokenizer.special-tokens-alone", "5 special"):
        own.resolve_tokenizer(str(tmp_path / "saved"), None, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[PAD]\n[UNK]\nhello\n", r"\[CLS\], \[SEP\] missing in 3 pieces"),
        (b"[PAD]\nhell\xff\n", "not UTF-8: byte 0xff at offset 10"),
        (b"\xef\xbb\xbf[PAD]\nhell\xff\n", "not UTF-8: byte 0xff at offset 13"),
        (b"", "no BERT vocabulary"),
    ],
)
def test_bad_vocabulary_files(tmp_path, content, message):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        own.resolve_tokenizer(str(path), None, None)


def test_vocabulary_lines(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("\ufeff[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n\u2028\r\na\x85b\r\n".encode())
    expected = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "\u2028": 4, "a\x85b": 5}
    assert read_vocabulary(path) == expected
    assert not looks_cased(expected)


def test_broken_tokenizer_json(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="tokenizer"):
        own.resolve_tokenizer(str(tmp_path), None, None)


def test_hub_code_is_never_run(bert, tmp_path):
    bert.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["auto_map"] = {"AutoTokenizer": ["evil.Tokenizer", None]}
    settings["tokenizer_class"] = "EvilTokenizer"
    write_json(tmp_path / "tokenizer_config.json", **settings)
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')", encoding="utf-8")
    try:
        own.resolve_tokenizer(str(tmp_path), None, None)
    except UserError:
        pass


def test_casing_is_set_saved_and_loaded(bert, tmp_path):
    tokenizer = copy.deepcopy(bert)
    before = own.tokenizer_fingerprint(tokenizer)
    own.set_lower_case(tokenizer, False)
    assert tokenizer.tokenize("Hello hello") == ["Hello", "hello"]
    assert own.tokenizer_fingerprint(tokenizer) != before
    assert tokenizer.do_lower_case is tokenizer.init_kwargs["do_lower_case"] is False
    tokenizer.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    assert saved["normalizer"]["lowercase"] is False
    from transformers import AutoTokenizer

    assert AutoTokenizer.from_pretrained(tmp_path).tokenize("Hello") == ["Hello"]


def test_casing_of_tokenizer_json_holds_where_the_library_drops_it(bert, tmp_path):
    tokenizer = copy.deepcopy(bert)
    own.set_lower_case(tokenizer, False)
    tokenizer.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    del settings["do_lower_case"]
    write_json(tmp_path / "tokenizer_config.json", **settings)
    assert own.resolve_tokenizer(None, str(tmp_path), None).tokenize("Hello") == ["Hello"]


def test_normalising_keeps_what_special_tokens_are_and_how_they_are_read(pieces, tmp_path):
    """A separator that somebody writes stays text."""
    vocabulary = {piece: number for number, piece in enumerate([*pieces, "[NUM]"])}
    tokenizer = BertTokenizer(vocab=vocabulary, split_special_tokens=True)
    tokenizer.add_special_tokens({"extra_special_tokens": ["[NUM]"]})
    tokenizer._pad_token_type_id = 3  # as XLNet's is made
    written = plain_ids(tokenizer, ["a [SEP] b"])
    special = set(tokenizer.all_special_ids)
    assert tokenizer.sep_token_id not in written[0] and vocabulary["[NUM]"] in special
    made = with_nfkc(tokenizer)
    assert made.pad_token_type_id == 3
    made.save_pretrained(tmp_path)
    for found in (made, AutoTokenizer.from_pretrained(tmp_path)):
        assert plain_ids(found, ["ａ [SEP] b"]) == written
        assert set(found.all_special_ids) == special


def test_contradiction_is_reported_with_both_shares(vocab_folder, bert):
    texts = ["Hello GOOD Day", "good day"]
    tokenizer = own.resolve_tokenizer(str(vocab_folder), None, None, do_lower_case=True)
    assert tokenizer.own_lower_case is False  # the vocabulary holds "Hello"
    problem = own.casing_report(tokenizer, True, texts)
    assert problem is not None and problem.severity == "warning"
    assert (
        problem.code == "tokenizer.lower-casing-contradicts"
        and "0.00%" in problem.message
        and "40.00%" in problem.message
    )
    assert own.casing_report(tokenizer, None, texts) is None
    assert own.casing_report(tokenizer, False, texts) is None
    assert own.casing_report(bert, True, texts) is None
    assert own.lower_cases(tokenizer)  # reporting leaves the tokenizer alone


def test_casing_that_cannot_be_set_is_refused(roberta):
    own.set_lower_case(roberta, False)
    with refused("tokenizer.no-lower-casing"):
        own.set_lower_case(roberta, True)


def test_casing_inside_a_sequence(bert):
    from tokenizers import normalizers
    from transformers import PreTrainedTokenizerFast

    for steps in ([normalizers.BertNormalizer()], [normalizers.NFC(), normalizers.Lowercase()]):
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=copy.deepcopy(bert.backend_tokenizer))
        tokenizer.backend_tokenizer.normalizer = normalizers.Sequence(steps)
        assert own.lower_cases(tokenizer)
        own.set_lower_case(tokenizer, False)
        assert not own.lower_cases(tokenizer)


def test_unknown_share(bert, roberta):
    assert own.unk_share(bert, ["hello zzz", "good"]) == pytest.approx(1 / 3)
    assert own.unk_share(bert, []) == own.unk_share(bert, [""]) == 0.0
    assert own.check_texts(bert, ["hello good day"]) is None
    assert own.check_texts(bert, ["hello zzz"]).severity == "warning"
    assert own.check_texts(bert, ["qq zzz"]).severity == "error"


def test_vocabulary_against_the_embedding_table(bert, pieces):
    assert own.check_vocabulary(bert, len(pieces)) is None
    assert own.check_vocabulary(bert, len(pieces) + 30) is None
    assert own.check_vocabulary(bert, len(pieces) - 1).severity == "error"
    assert own.check_vocabulary(bert, 30522).severity == "warning"


def test_fingerprint_is_of_content(bert, minilm):
    before = own.tokenizer_fingerprint(minilm)
    minilm(["a"], truncation=True, max_length=7, padding="max_length")
    assert own.tokenizer_fingerprint(minilm) == before != own.tokenizer_fingerprint(bert)
    other = copy.deepcopy(bert)
    other.padding_side = "left"
    assert own.tokenizer_fingerprint(other) != own.tokenizer_fingerprint(bert)


class Python(PythonBackend):
    """A tokenizer without Rust: words apart from blanks."""

    vocab_files_names = {"merges_file": "merges.txt"}  # noqa: RUF012
    vocab_size = 2

    def __init__(self, merges_file=None, **settings):
        self.merges_file = merges_file
        super().__init__(merges_file=merges_file, **settings)

    def get_vocab(self):
        return {"[UNK]": 0, "a": 1} | self.added_tokens_encoder

    def _tokenize(self, text, **_):
        return text.split()

    def _convert_token_to_id(self, token):
        return self.get_vocab().get(token, 0)

    def save_vocabulary(self, save_directory, filename_prefix=None):
        lines = Path(self.merges_file).read_text("utf-8")
        path = Path(save_directory, "merges.txt")
        path.write_text(f"#version: 0.2\n{lines}\n", encoding="utf-8")
        return (str(path),)


def test_fingerprint_of_a_python_tokenizer_is_of_all_its_settings(tmp_path):
    for name, merges in (("one", "a b\nb c"), ("same", "a b\nb c\n"), ("other", "b c\na b")):
        (tmp_path / name).write_text(merges, encoding="utf-8")
    kwargs = {"mecab_dic": "ipadic", "dic_path": str(tmp_path / "one")}
    usual = {
        "never_split": ["a-b"],
        "mecab_kwargs": kwargs,
        "alpha": 0.1,
        "mark": AddedToken("<a>"),
    }

    def made(merges="one", **settings):
        return Python(str(tmp_path / merges), unk_token="[UNK]", **{**usual, **settings})

    before = own.tokenizer_fingerprint(made())
    made().save_pretrained(tmp_path / "saved")
    alike = [
        Python.from_pretrained(tmp_path / "saved"),
        made("same"),
        made(mecab_kwargs={**kwargs, "dic_path": str(tmp_path / "same")}),
    ]
    assert {own.tokenizer_fingerprint(tokenizer) for tokenizer in alike} == {before}
    others = [
        made("other"),
        made(never_split=["a-c"]),
        made(mecab_kwargs={**kwargs, "mecab_dic": "unidic"}),
        made(mecab_kwargs={**kwargs, "dic_path": str(tmp_path / "other")}),
        made(alpha=0.2),
        made(mark=AddedToken("<b>")),
        made(extra_special_tokens=["a"]),
    ]
    different = {own.tokenizer_fingerprint(tokenizer) for tokenizer in others}
    assert len(different - {before}) == len(others)


@pytest.mark.parametrize("name", ["bert-base-uncased", "bert-base-chinese"])
def test_real_vocabularies(name):
    from pathlib import Path

    folder = next(
        (
            place / "shared/data/vocab" / name
            for place in Path(__file__).resolve().parents
            if (place / "shared/data/vocab" / name).exists()
        ),
        None,
    )
    if folder is None:
        pytest.skip("no real vocabulary here")
    tokenizer = own.resolve_tokenizer(None, str(folder), None)
    assert len(tokenizer) == {"bert-base-uncased": 30522, "bert-base-chinese": 21128}[name]
    assert own.lower_cases(tokenizer)
    text = "good morning" if "uncased" in name else "今天天气很好"
    assert own.unk_share(tokenizer, [text]) == 0


# -- folders as libraries of other years wrote them --------------------------------------------------

OLD = "[PAD] [UNK] [CLS] [SEP] [MASK] a b c e o t ##o ##t u ##u hello world".split()
USUAL = {name: f"[{name[:-6].upper()}]" for name in ("unk_token", "sep_token", "pad_token")}
USUAL |= {"cls_token": "[CLS]", "mask_token": "[MASK]"}
ADDED = {"[EOU]": len(OLD) + 1, "[EOT]": len(OLD)}
MORE = {
    "additional_special_tokens": ["[EOT]", "<sp>"],
    "mask_token": {"content": "[MASK]", "lstrip": True},
}
SHAPES = {
    "vocab alone": {},
    "added tokens": {"added_tokens.json": ADDED},
    "special tokens": {"special_tokens_map.json": USUAL},
    "both": {"added_tokens.json": ADDED, "special_tokens_map.json": USUAL},
    "more special tokens": {"special_tokens_map.json": {**USUAL, **MORE}},
    "everything": {"added_tokens.json": ADDED, "special_tokens_map.json": {**USUAL, **MORE}},
    "with a config": {
        "added_tokens.json": ADDED,
        "special_tokens_map.json": USUAL,
        "tokenizer_config.json": {"do_lower_case": True, "tokenizer_class": "BertTokenizer"},
    },
}


@pytest.mark.parametrize("kind", ["bert", "distilbert", "electra"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_folder_is_read_as_transformers_reads_it(tmp_path, shape, kind):
    (tmp_path / "vocab.txt").write_text("\n".join(OLD) + "\n")
    write_json(tmp_path / "config.json", model_type=kind)
    for name, values in SHAPES[shape].items():
        write_json(tmp_path / name, **values)
    ours = own.resolve_tokenizer(None, str(tmp_path), None)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert sorted(ours.all_special_tokens) == sorted(theirs.all_special_tokens)
    assert len(ours) == len(theirs)
    for text in (
        "hello [EOT] world [EOU]",
        "a[EOT]b [eot]",
        "[MASK] u",
        "<sp> hello",
        "hello[sep]",
    ):
        assert ours(text)["input_ids"] == theirs(text)["input_ids"], text


def test_added_tokens_that_do_not_follow_the_vocabulary_are_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(OLD) + "\n")
    write_json(tmp_path / "added_tokens.json", **{"[EOT]": 99})
    with refused("tokenizer.added-number-contradicts", "'[EOT]'", "99"):
        own.resolve_tokenizer(None, str(tmp_path), None)
    for content in ("[1]", "{", '{"[EOT]": "x"}'):
        (tmp_path / "added_tokens.json").write_text(content)
        with pytest.raises(UserError, match=r"added_tokens\.json"):
            own.resolve_tokenizer(None, str(tmp_path), None)


def test_a_damaged_tokenizer_json_is_not_passed_over_for_the_vocabulary(bert, tmp_path):
    bert.save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(OLD) + "\n")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match=r"tokenizer\.json: is not JSON"):
        own.resolve_tokenizer(None, str(tmp_path), None)


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("tokenizer_config.json", "[" * 9999, "more than 100 lists and objects"),
        ("tokenizer_config.json", '{"a": NaN}', "'a', which is NaN"),
        ("special_tokens_map.json", "[1]", "a JSON list"),
        ("added_tokens.json", '{"x": ', "is not JSON (line 1"),
    ],
)
def test_a_damaged_side_file_is_named(vocab_folder, file, content, fault):
    (vocab_folder / file).write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as error:
        own.resolve_tokenizer(str(vocab_folder), None, None)
    assert str(vocab_folder / file) in str(error.value) and fault in str(error.value)


@pytest.mark.parametrize("value", ["abc", [1], -5, True])
def test_the_longest_row_of_a_tokenizer_is_a_number(vocab_folder, value):
    write_json(
        vocab_folder / "tokenizer_config.json",
        tokenizer_class="BertTokenizer",
        model_max_length=value,
    )
    with refused("tokenizer.longest-row-faulty"):
        own.resolve_tokenizer(str(vocab_folder), None, None)


@pytest.mark.parametrize("value", [512, 512.0, 10**30, 0, None])
def test_any_number_may_be_the_longest_row(vocab_folder, value):
    write_json(
        vocab_folder / "tokenizer_config.json",
        tokenizer_class="BertTokenizer",
        model_max_length=value,
    )
    found = own.resolve_tokenizer(str(vocab_folder), None, None).model_max_length
    assert found == (value if value is not None else pytest.approx(10**30))


def test_a_value_that_no_text_can_be_read_under_is_told_in_words(bert, tmp_path):
    bert.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, **{**values, "model_max_length": []})
    with pytest.raises(UserError, match=r"model_max_length is \[\]"):
        own.resolve_tokenizer(str(tmp_path), None, None)

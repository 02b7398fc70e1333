"""Segmenters: what they cut, what they are asked to leave alone, and what is said where they fail."""

import importlib.util
import marshal
import os
import pickle
import subprocess
import sys
import tempfile
from types import ModuleType

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatstill.errors import UserError
from chatstill.text.segment import PROBE, load_segmenter, usual_segmenter

NAMES = [
    name
    for name in ("words", "characters", "jieba", "rjieba")
    if name in ("words", "characters") or importlib.util.find_spec(name)
]
needs_jieba = pytest.mark.skipif("jieba" not in NAMES, reason="jieba is not installed")


@pytest.fixture
def module(monkeypatch):
    """Makes a module with a given function ``cut`` importable."""

    def make(cut, name="my_cutter"):
        made = ModuleType(name)
        made.cut = cut
        monkeypatch.setitem(sys.modules, name, made)
        return load_segmenter(name, place="network.segmenter")

    return make


def problem_of(do, *given, **more):
    with pytest.raises(UserError) as caught:
        do(*given, **more)
    assert caught.value.exit_code == 2
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)  # the first call loads
@given(
    text=st.text(st.characters(exclude_categories=("Cs",))) | st.text("好的a1 .'’\t[]-👍🏽\u200d")
)
@example(text="")
@example(text=" \t\u3000\n")
@example(text="👨‍👩‍👧 [SEP] é 好的，T恤\x00\x1c")
def test_words_joined_are_the_text_without_blanks(name, text):
    words = load_segmenter(name).cut(text)
    assert "".join("".join(words).split()) == "".join(text.split())
    assert all(word.strip() == word != "" for word in words)


def test_words_end_at_unicodes_boundaries_and_signs_stand_alone():
    cut = load_segmenter("words").cut
    assert cut("It's 3.5 km, isn't it?!") == ["It's", "3.5", "km", ",", "isn't", "it", "?", "!"]
    assert cut("你好 world") == ["你", "好", "world"]
    assert cut("") == []


def test_characters_are_those_that_a_reader_sees():
    found = load_segmenter("characters").cut("e\u0301 👨‍👩‍👧🇨🇳好")
    assert found == ["e\u0301", "👨‍👩‍👧", "🇨🇳", "好"]


@needs_jieba
def test_jieba_cuts_as_jieba_does():
    import jieba

    plain = [word for word in jieba.Tokenizer().cut(PROBE) if word.strip()]
    segmenter = load_segmenter("jieba")
    assert segmenter.probe() == plain
    assert segmenter.version == jieba.__version__


@needs_jieba
def test_jieba_neither_reads_nor_writes_the_shared_cache(tmp_path):
    """A poisoned cache, in a folder that takes no file: everybody may write into a shared one."""
    (tmp_path / "jieba.cache").write_bytes(marshal.dumps(({"我们在": 10**9}, 10**9)))
    before = (tmp_path / "jieba.cache").read_bytes()
    code = (
        "import tempfile; from chatstill.text.segment import load_segmenter\n"
        "def refuse(*given, **more): raise SystemExit('a temporary file was asked for')\n"
        "tempfile.mkstemp = tempfile.NamedTemporaryFile = refuse\n"
        "print(load_segmenter('jieba').cut('我们在北京'))"
    )
    tmp_path.chmod(0o500)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    tmp_path.chmod(0o700)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "['我们', '在', '北京']", "")
    assert [path.name for path in tmp_path.iterdir()] == ["jieba.cache"]
    assert (tmp_path / "jieba.cache").read_bytes() == before
    assert tempfile.gettempdir() != str(tmp_path)


@needs_jieba
def test_a_user_dictionary_makes_words_and_leaves_other_segmenters_alone():
    plain = load_segmenter("jieba")
    text = "我用蚂蚁借呗和iPhone手机"
    own = load_segmenter("jieba", "\ufeff蚂蚁借呗 5 n\n\niPhone手机\r\n石墨烯 nz\n")
    assert own.cut(text) == ["我用", "蚂蚁借呗", "和", "iPhone手机"]
    assert plain.cut(text) == load_segmenter("jieba").cut(text) != own.cut(text)


@needs_jieba
@pytest.mark.parametrize(
    "line",
    ["云计算 many n", "云计算 5 n more", "云计算 -5", "云计算 1.5 n", "云计算 ５", "a b c 5"],
)
def test_a_faulty_line_of_a_user_dictionary_is_told_by_its_number(line):
    problem = problem_of(load_segmenter, "jieba", f"好的 5\n{line}\n", place="here")
    assert problem.place == "here"
    assert "line 2" in problem.message and line in problem.message


def test_a_user_dictionary_goes_with_jieba_alone():
    assert "'words'" in problem_of(load_segmenter, "words", "好 5").message


@pytest.mark.parametrize("name", ["xiaoice_jieba_of_nobody", "nobody.at_all", "no module", "", "."])
def test_a_missing_segmenter_is_named(name):
    problem = problem_of(load_segmenter, name, place="network.segmenter")
    assert f"'{name}'" in problem.message and problem.place == "network.segmenter"
    assert "jieba, words, characters" in problem.hint


def test_a_missing_jieba_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "jieba", None)
    dictionary = "某某 5"  # not at hand from other tests
    problem = problem_of(load_segmenter, "jieba", dictionary)
    assert problem.code == "segmenter.jieba-not-installed" and "pip install" in problem.hint


def test_pieces_are_no_segmenter():
    assert "teacher" in problem_of(load_segmenter, "pieces").message


def test_a_module_needs_a_function_cut(module):
    assert problem_of(module, None).code == "segmenter.without-cut"


def test_any_iterable_of_words_will_do(module):
    assert module(lambda text: iter(text.split())).cut(" a  b ") == ["a", "b"]
    assert module(lambda text: (text[:3], text[3:])).cut("a bcd") == ["a b", "cd"]


def faulty(text):
    raise KeyError("no\nsuch")


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (faulty, "KeyError"),
        (lambda text: None, "TypeError"),
        (lambda text: [1, 2], "AttributeError"),
        (lambda text: [text.upper()], "another text"),
        (lambda text: [text, text], "another text"),
        (lambda text: [], "another text"),
    ],
)
def test_what_goes_wrong_in_a_segmenter_is_one_problem_that_shows_the_text(module, cut, said):
    problem = problem_of(module(cut).cut, "hello 你好")
    assert said in problem.message and "'hello 你好'" in problem.message
    assert "my_cutter" in problem.message and problem.place == "network.segmenter"


def test_other_processes_load_it_by_name_and_dictionary():
    segmenter = load_segmenter("words", place="there")
    again = pickle.loads(pickle.dumps(segmenter))
    assert again == segmenter and again.place == "there"


@needs_jieba
def test_one_table_serves_all_that_load_jieba_alike():
    assert load_segmenter("jieba", place="a") == load_segmenter("jieba", place="b")
    assert load_segmenter("jieba", "好的 9") != load_segmenter("jieba")


def test_mostly_chinese_texts_are_cut_by_jieba():
    assert usual_segmenter(["花呗可以还款吗", "iPhone 手机怎么还"]) == "jieba"
    assert usual_segmenter(["can I pay 花呗", "hello"]) == "words"
    assert usual_segmenter([]) == "words"
    assert usual_segmenter(["123 !?"]) == "words"

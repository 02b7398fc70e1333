"""The Chinese pages say what the English ones do: the same commands, keys, figures and links."""

import pytest

from .bilingual import chinese, differences, english, links
from .pages import ROOT, text_of

NEEDED = ("chains", "choosing", "data", "install", "methods", "run_folder", "theseus")
CHINESE = sorted(f"docs/zh/{path.name}" for path in (ROOT / "docs" / "zh").glob("*.md"))


def test_the_pages_from_data_to_student_are_there():
    assert {f"docs/zh/{name}.md" for name in NEEDED} <= {*CHINESE}


@pytest.mark.parametrize("page", CHINESE)
def test_a_page_is_that_of_the_other_language(page):
    found = differences(english(page), text_of(english(page)), page, text_of(page))
    assert not found, f"{page} and {english(page)} differ:\n" + "\n".join(found)


@pytest.mark.parametrize("page", CHINESE)
def test_both_pages_lead_to_each_other(page):
    name = page.rpartition("/")[2]
    assert text_of(page).splitlines()[1:3] == ["", f"[English](../{name})"]
    assert text_of(english(page)).splitlines()[1:3] == ["", f"[中文](zh/{name})"]


@pytest.mark.parametrize("page", ["README.zh-CN.md", *CHINESE])
def test_links_lead_to_chinese_pages_where_there_are_such(page):
    wrong = [
        file
        for file, _ in links(page, text_of(page))
        if file != english(page) and file != chinese(file)
    ]
    assert not wrong, (page, wrong)


@pytest.mark.parametrize("page", CHINESE)
def test_english_pages_lead_to_english_ones(page):
    wrong = [file for file, _ in links(english(page), text_of(english(page))) if "/zh/" in file]
    assert wrong == [page]


def test_both_readmes_lead_to_the_same_pages():
    found = [
        sorted(
            (english(file), anchor) for file, anchor in links(page, text_of(page)) if file != page
        )
        for page in ("README.md", "README.zh-CN.md")
    ]
    assert [file for file in found[0] if file[0] != "README.md"] == [
        file for file in found[1] if file[0] != "README.md"
    ]


PLANTED = {
    "a figure of the text": ("choosing", "47,349", "47,394", "figures"),
    "a sign": ("choosing", "−3.0", "+3.0", "figures"),
    "a figure of a table": ("theseus", "| 82.6 |", "| 82.8 |", "column 2: figures"),
    "two figures of a row": ("theseus", "| 83.8 | 84.1 |", "| 84.1 | 83.8 |", "column 3: figures"),
    "a key of the text": ("methods", "`pretrained_architectures`", "`pretrained`", "code"),
    "a key of a table": ("run_folder", "| `kept.step` |", "| `kept.steps` |", "column 1: code"),
    "a command": ("chains", "`chatstill finish output_chain`", "`chatstill end output`", "code"),
    "a block of code": ("data", '"text_pair": "second"', '"text_pair": "first"', "of the block"),
    "a link": ("theseus", "theseus_parity.md)", "theseus_glue.md)", "links"),
    "a row": (
        "methods",
        '| TextBrewer：`kd_ce` | `"loss": "cross_entropy", "temperature_squared": false` |\n',
        "",
        "lines in the table",
    ),
    "a heading": ("install", "\n## 哪个 torch\n", "\n### 哪个 torch\n", "heading 2 and heading 3"),
    "an anchor": ("data", '<a id="which-class-counts"></a>\n', "", "no <a id="),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_difference_is_told_with_its_page_and_line(name):
    stem, before, after, said = PLANTED[name]
    page = f"docs/zh/{stem}.md"
    text = text_of(page)
    assert before in text, f"{page} holds {before!r} no longer: plant another difference"
    planted = text.replace(before, after, 1)
    known = differences(english(page), text_of(english(page)), page, text)
    found = [
        line
        for line in differences(english(page), text_of(english(page)), page, planted)
        if line not in known
    ]
    line = text[: text.index(before)].count("\n") + 1
    assert any(said in message and f"{page}:" in message for message in found), found
    assert any(abs(int(m.split(f"{page}:")[1].split(":")[0]) - line) < 25 for m in found), found


def test_a_comment_of_a_command_may_be_translated():
    sides = ["```sh\nmake bench   # fine-tuning\n```\n", "```sh\nmake bench   # 微调\n```\n"]
    assert differences("a.md", sides[0], "b.md", sides[1]) == []
    assert differences("a.md", sides[0], "b.md", sides[1].replace("bench", "test"))

"""What the READMEs say can be done: their JSON loads, their commands exist, their code runs."""

import ast
import json
import re
import shlex

import pytest
from typer.main import get_command

from chatstill.cli import augmenting, looking, serving, training, verbs  # noqa: F401
from chatstill.cli.options import app
from chatstill.config import load
from chatstill.tasks import get_task

from .config.conftest import safetensors
from .pages import READMES, ROOT, fences, names, section, table, text_of

TROUBLE = {"README.md": "When something is wrong", "README.zh-CN.md": "出错时"}
pytestmark = pytest.mark.parametrize("page", READMES)


def prepare(folder, page):
    """The files that the pages speak of, next to nothing in them."""
    for name in ("output_teacher/teacher", "my_sst2_teacher", "bert-base-uncased"):
        teacher = folder / name
        teacher.mkdir(parents=True)
        (teacher / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
        (teacher / "vocab.txt").write_text("[PAD]\n[UNK]\n", encoding="utf-8")
        safetensors(teacher / "model.safetensors")
    (rows,) = fences(page, "text")
    for split in ("train", "dev"):
        for file, text in (
            (f"data/chat/{split}.data.txt", rows),
            (f"data/SST-2/{split}.tsv", "sentence\tlabel\nfine\t1\n"),
        ):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")


def test_the_first_lines_are_the_two_commands(page):
    first = fences(page, "")[0].splitlines()
    assert text_of(page).startswith("```\ngit clone … && cd chatstill\n")
    assert [line.split("#")[0].strip() for line in first[1:]] == ["make demo", "make test"]


def test_every_configuration_loads(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, page)
    blocks = fences(page, "json")
    assert len(blocks) == 4
    found = []
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.json"
        path.write_text(block, encoding="utf-8")
        found.append("distill" if "model_type" in json.loads(block) else "teach")
        assert load(path, [], verb=found[-1]).warnings == []
    assert found == ["distill", "distill", "distill", "teach"]


def test_the_rows_shown_are_chat_rows(page, tmp_path):
    path = tmp_path / "train.data.txt"
    path.write_text(fences(page, "text")[0], encoding="utf-8")
    rows = list(get_task("chat").read(path, "train"))
    assert [row.label for row in rows] == [1, 0, 1, 0]
    assert len({row.group for row in rows}) == 2


def commands(page):
    """Every shell command, in blocks, in console excerpts and in the text."""
    blocks = [*fences(page, "sh"), *fences(page, "")]
    joined = "\n".join(blocks).replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip()]
    lines += re.findall(r"^\$ (.+)$", "\n".join(fences(page, "console")), re.MULTILINE)
    inline = names(re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL))
    return lines + [
        text for text in inline if re.match(r"(chatstill|make|python) ", text) and "\n" not in text
    ]


def is_possible(command):
    """A verb with its options, a make target, a file, or a tool from outside."""
    words = shlex.split(command, comments=True)
    if words[0] in ("git", "docker", "mkdir", "accelerate", "torchrun"):
        words = words[words.index("chatstill") :] if "-m" in words else []
    if not words:
        return True
    if words[0] == "chatstill":
        verb = get_command(app).commands[words[1]]
        reads_a_file = words[1] in ("distill", "teach", "check")
        verb.make_context(words[1], words[2:] or (["my.json"] if reads_a_file else []))
        return True
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        targets = [word for word in words[1:] if "=" not in word]
        variables = [word.split("=")[0] for word in words[1:] if "=" in word]
        return all(re.search(rf"^{name}:", makefile, re.MULTILINE) for name in targets) and all(
            f"$({name})" in makefile for name in variables
        )
    return words[0] == "python" and (ROOT / words[1]).is_file()


def test_every_command_exists(page):
    found = commands(page)
    assert len(found) > 15
    for command in found:
        if not command.startswith("chatstill is not set up"):  # a message, no command
            assert is_possible(command), command


def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text_of(page))
    local = [link for link in links if not link.startswith("http")]
    assert len(local) > 8
    assert all((ROOT / link).exists() for link in local), local


def constants():
    """Every piece of text in the sources, strings over several lines joined."""
    pieces = []
    for file in (ROOT / "src").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        pieces += [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    return pieces


def test_messages_of_the_troubleshooting_table_are_in_the_sources(page):
    rows = table(section(page, TROUBLE[page]))
    assert len(rows) > 12
    known = constants()
    for row in rows:
        for piece in names(row[0])[0].split("…"):
            assert any(piece.strip() in text for text in known), piece


def test_the_code_block_uses_a_student(page, tmp_path, monkeypatch, capsys):
    from .path.world import build_network

    monkeypatch.chdir(tmp_path)
    build_network(tmp_path / "output_theseus" / "student", layers=2)
    (block,) = fences(page, "python")
    exec(compile(block, page, "exec"), {})
    assert re.search(r"'label': .*'score': 0\.\d", capsys.readouterr().out)


def test_both_readmes_have_the_same_order(page):
    other = READMES[1 - READMES.index(page)]
    shape = [re.findall(r"^(#+) ", text_of(name), re.MULTILINE) for name in (page, other)]
    assert shape[0] == shape[1]
    for kind in ("json", "sh", "console", "bibtex"):
        assert len(fences(page, kind)) == len(fences(other, kind)), kind

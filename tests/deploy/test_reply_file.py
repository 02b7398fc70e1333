"""Files of replies, ids and queries: what each line means, and every fault with its line at once."""

import pytest

from chatstill.deploy.reply_file import Reply, read_names, read_queries, read_replies
from chatstill.errors import UserError
from tests.found import found, refused


def file(tmp_path, data):
    path = tmp_path / "replies.txt"
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
    return path


def test_a_reply_a_line_and_equal_ones_once(tmp_path):
    read = read_replies(file(tmp_path, "sure\nno\r\n sure \n好的\n"))
    assert read == ([Reply(None, "sure"), Reply(None, "no"), Reply(None, "好的")], False, [])


def test_ids_where_the_first_line_has_a_tab(tmp_path):
    read = read_replies(file(tmp_path, "\ufeffa\tsure\nb\tsure\na\tsure\n"))
    assert read == ([Reply("a", "sure"), Reply("b", "sure")], True, [])


def test_blank_lines_are_passed_over_and_told(tmp_path):
    read = read_replies(file(tmp_path, "\nsure\n  \nno\n\n"))
    assert [one.text for one in read.replies] == ["sure", "no"]
    assert found(read.warnings) == [("index.blank-lines", str(tmp_path / "replies.txt"))]
    assert "3" in read.warnings[0].message and "line 1" in read.warnings[0].message


def test_separators_that_are_text_do_not_end_a_line(tmp_path):
    read = read_replies(file(tmp_path, "one\u2028two\x0b\rthree\n"))
    assert len(read.replies) == 1


FAULTS = {
    "a\tsure\tno\n": ("index.tab-in-reply", 1),
    "a\tsure\nno\n": ("index.no-id", 2),
    "sure\na\tno\n": ("index.tab-in-plain-reply", 2),
    "a\tsure\n\tno\n": ("index.empty-id", 2),
    "a\tsure\nb\t \n": ("index.empty-reply", 2),
    "a\tsure\na\tno\n": ("index.id-twice", 2),
    b"sure\nn\xc3o\n": ("index.not-utf-8", 2),
}


@pytest.mark.parametrize("data", FAULTS, ids=lambda data: FAULTS[data][0])
def test_each_fault_has_its_line(data, tmp_path):
    path = file(tmp_path, data)
    code, line = FAULTS[data]
    with pytest.raises(UserError) as error:
        read_replies(path)
    assert found(error) == [(code, f"{path}: line {line}")]


def test_bytes_that_are_no_utf_8_have_their_offset(tmp_path):
    with refused("index.not-utf-8", "c3 6f", "offset 6"):
        read_replies(file(tmp_path, b"sure\nn\xc3o\n"))


def test_utf_16_is_known_by_its_mark(tmp_path):
    with refused("index.utf-16", "iconv -f UTF-16", "line 1"):
        read_replies(file(tmp_path, "sure\nno\n".encode("utf-16")))


def test_all_faults_are_told_at_once_up_to_twenty(tmp_path):
    path = file(tmp_path, "a\tsure\n" + "no\n" * 30)
    with pytest.raises(UserError) as error:
        read_replies(path)
    codes = [code for code, _ in found(error)]
    assert codes == ["index.no-id"] * 20 + ["index.more-lines"]
    assert "10" in error.value.problems[-1].message


@pytest.mark.parametrize("read", [read_replies, lambda path: read_names(path, True)])
@pytest.mark.parametrize("data", ["", "\ufeff\n", "\n\n"])
def test_a_file_of_nothing_is_refused(read, data, tmp_path):
    with refused("index.empty-file"):
        read(file(tmp_path, data))


def test_a_file_that_is_not_there(tmp_path):
    with refused("data.file-unreadable"):
        read_replies(tmp_path / "nothing.txt")


def test_names_to_remove(tmp_path):
    assert read_names(file(tmp_path, "a\nb\n\na\n"), True) == ["a", "b"]
    with refused("index.tab-in-name", "line 2"):
        read_names(file(tmp_path, "a\nb\tc\n"), True)


def test_queries_are_counted_by_line_so_none_may_be_empty(tmp_path):
    assert read_queries(file(tmp_path, "why\nwhy\n")) == ["why", "why"]
    path = file(tmp_path, "why\n\nno\tw\n")
    with pytest.raises(UserError) as error:
        read_queries(path)
    assert found(error) == [
        ("rank.empty-query-line", f"{path}: line 2"),
        ("rank.tab-in-query", f"{path}: line 3"),
    ]

"""``chatstill index`` and ``chatstill rank`` as they are typed."""

import pytest

from chatstill import cli
from tests.deploy.serving import REPLIES, saved, saved_sentences
from tests.pages import fences


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(saved(tmp_path_factory.mktemp("run") / "student").parent)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "replies.txt").write_text("\n".join(REPLIES) + "\n")
    (tmp_path / "faq.tsv").write_text("a\tsure\nb\tno\nc\tsure\n")
    (tmp_path / "queries.txt").write_text("why\nwhere is the red box\n")
    return tmp_path


def run(capsys, *words):
    code = cli.main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_from_replies_to_a_ranking(model, files, capsys):
    code, out, err = run(capsys, "index", model, "replies.txt", "--out", "idx")
    assert (
        code == 0
        and "10 replies" in out.splitlines()[0]
        and "index: idx (10 replies; keys, fp16" in out
    )
    assert "2 of 10 replies are longer than 9 tokens" in err
    code, out, err = run(capsys, "rank", model, "idx", "--query", "why", "--top", "3")
    lines = [line.split("\t") for line in out.splitlines()]
    assert code == 0 and lines[0] == ["rank", "score", "id", "reply"]
    assert [line[0] for line in lines[1:]] == ["1", "2", "3"]
    scores = [float(line[1]) for line in lines[1:]]
    assert scores == sorted(scores, reverse=True) and {line[3] for line in lines[1:]} <= set(
        REPLIES
    )
    assert all(REPLIES[int(line[2]) - 1] == line[3] for line in lines[1:])
    assert "the probability of label '1'; 10 replies" in err


def test_a_file_of_queries(model, files, capsys):
    assert run(capsys, "index", model, "faq.tsv", "--out", "idx", "--dtype", "int8")[0] == 0
    words = ("rank", model, "idx", "--queries", "queries.txt", "--output", "ranked.tsv")
    code, out, _ = run(capsys, *words)
    assert code == 0 and "ranked.tsv (2 queries)" in out
    rows = [line.split("\t") for line in (files / "ranked.tsv").read_text().splitlines()]
    assert rows[0] == ["query", "rank", "score", "id", "reply"] and len(rows) == 7
    both = {row[3]: row[:3] for row in rows[1:4]}
    assert both["a"] == both["c"] != both["b"]  # ids of one reply share its place
    _, out, _ = run(capsys, "rank", model, "idx", "--query", "why", "--top", "9")
    assert [line.split("\t") for line in out.splitlines()[1:]] == [row[1:] for row in rows[1:4]]


def test_an_index_is_changed(model, files, capsys):
    run(capsys, "index", model, "faq.tsv", "--out", "idx")
    (files / "more.tsv").write_text("d\twhy\na\tsure\n")
    code, out, _ = run(capsys, "index", model, "--add", "more.tsv", "--out", "idx")
    assert code == 0 and "1 of 2 ids with these replies are there already" in out
    (files / "gone.txt").write_text("a\nb\n")
    code, out, _ = run(capsys, "index", model, "--remove", "gone.txt", "--out", "idx")
    assert (
        code == 0
        and "removed: 2 ids and with them 1 reply" in out
        and "(2 replies of 2 ids; " in out
    )
    assert run(capsys, "index", model, "--compact", "--out", "idx")[0] == 0
    _, out, _ = run(capsys, "rank", model, "idx", "--query", "why")
    assert sorted(line.split("\t")[2] for line in out.splitlines()[1:]) == ["c", "d"]


def test_the_code_of_the_page_ranks(model, files, capsys):
    run(capsys, "index", model, "replies.txt", "--out", "index")
    (files / "output_dc_bert").symlink_to(model)
    exec(fences("docs/ranking.md", "python")[0], {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3"]


def test_top_above_the_size_is_a_warning(model, files, capsys):
    run(capsys, "index", model, "faq.tsv", "--out", "idx")
    code, out, err = run(capsys, "rank", model, "idx", "--query", "why", "--top", "5")
    assert code == 0 and len(out.splitlines()) == 4
    assert "warning: --top: is 5" in err


WRONG = {
    ("index", "MODEL"): "found none",
    ("index", "MODEL", "replies.txt", "--compact"): "found several",
    ("index", "MODEL", "--add", "faq.tsv", "--dtype", "int8"): "leave them out",
    ("index", "MODEL", "nothing.txt"): "nothing.txt: can't be read",
    ("index", "MODEL", "replies.txt", "--out", "."): "holds something that is no index",
    ("index", "nowhere", "replies.txt"): "nowhere",
    ("index", "MODEL", "replies.txt", "--dtype", "fp8"): "must be fp16, bf16 or int8",
    ("index", "MODEL", "replies.txt", "--hold", "vectors"): "cannot be kept",
    ("rank", "MODEL", "idx"): "either --query TEXT or --queries FILE",
    ("rank", "MODEL", "idx", "--queries", "queries.txt"): "belong together",
    ("rank", "MODEL", "idx", "--query", "why"): "idx is not there",
    (
        "rank",
        "MODEL",
        "idx",
        "--query",
        "why",
        "--top",
        "0",
    ): "--top must be greater than or equal to 1.",
    ("rank", "MODEL", "idx", "--query", "why", "--top", "x"): "--top",
}


def test_output_replaces_older_rankings_and_nothing_else(model, files, capsys):
    run(capsys, "index", model, "faq.tsv", "--out", "idx")
    words = ("rank", model, "idx", "--queries", "queries.txt", "--output")
    assert run(capsys, *words, "ranked.tsv")[0] == run(capsys, *words, "ranked.tsv")[0] == 0
    before = {name: (files / name).read_text() for name in ("queries.txt", "faq.tsv")}
    for name in (*before, "idx"):
        code, _, err = run(capsys, *words, name)
        assert code == 2 and f"{name} exists and holds no rankings" in err
    assert {name: (files / name).read_text() for name in before} == before


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_words_are_one_message(words, model, files, capsys):
    before = sorted(files.iterdir())
    code, out, err = run(capsys, *(model if word == "MODEL" else word for word in words))
    assert code == 2 and out == "" and WRONG[words] in err and "Traceback" not in err
    assert sorted(files.iterdir()) == before


def test_an_empty_query_and_a_classifier_of_another_kind(model, files, capsys, tmp_path_factory):
    from tests.dc_bert_by_hand import teacher_of

    run(capsys, "index", model, "faq.tsv", "--out", "idx")
    code, _, err = run(capsys, "rank", model, "idx", "--query", " ")
    assert code == 2 and "query: the query is empty" in err
    network, tokenizer = teacher_of()
    folder = tmp_path_factory.mktemp("bert")
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    code, _, err = run(capsys, "index", str(folder), "faq.tsv", "--out", "idx2")
    assert code == 2 and "is a bert, which does not encode a reply by itself" in err
    assert "an index takes a bilstm, dc-bert, elmo, ltd or static" in err


def test_a_network_of_one_text_says_that_it_ranks_by_cosine(files, capsys, tmp_path_factory):
    folder = str(saved_sentences(tmp_path_factory.mktemp("ltd") / "one", texts=1))
    code, out, _ = run(capsys, "index", folder, "replies.txt", "--out", "idx", "--dtype", "int8")
    assert code == 0 and "11 bytes a reply, 110 bytes in all (vectors, int8)" in out
    assert "index: idx (10 replies; vectors, int8" in out
    code, out, err = run(capsys, "rank", folder, "idx", "--query", "why", "--top", "1")
    assert code == 0 and out.splitlines()[1].split("\t")[3] == "why"
    assert "score: the cosine of the sentence vectors" in err
    code, _, err = run(capsys, "rank", folder, "idx", "--query", "why", "--label", "0")
    assert code == 2 and "--label: " in err and "cosine" in err

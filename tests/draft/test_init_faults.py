"""What ``chatstill init`` must not take for something else: labels for texts, bytes, numbers, replies."""

import json

import pytest

from chatstill.draft.beside import TEST, beside, dev_beside, is_training
from chatstill.draft.columns import Column, roles_of
from chatstill.draft.dialogues import dialogues_in
from chatstill.draft.encoding import as_decoded, encoding_of
from chatstill.draft.table import draft_table
from chatstill.errors import UserError
from chatstill.tasks.tables import Layout
from chatstill.tasks.tabular import TabularTask
from chatstill.tasks.tabular_keys import DataKeys
from tests.found import refused

TEXTS = [f"some words about number {n} and more" for n in range(60)]
OTHERS = [f"another sentence that is the {n}th of them" for n in range(60)]
NUMBERS = [str(n % 3) for n in range(60)]
NAMES = ["lost or stolen card", "card payment declined", "exchange rate question"]
NAMED = [NAMES[n % 3] for n in range(60)]


def roles(**columns):
    return roles_of([Column.of(name, list(cells)) for name, cells in columns.items()])


def table(folder, header, rows, name="train.csv", encoding="utf-8"):
    """The block of a file of rows, its comments, the lines that are said, and what the task reads."""
    text = "\n".join([header, *(",".join(row) for row in rows)]) + "\n"
    return drafted(folder, name, text.encode(encoding))


def lines(folder, rows):
    """The same of dialogues."""
    return drafted(folder, "train.jsonl", "".join(json.dumps(r) + "\n" for r in rows).encode())


def drafted(folder, name, content, labelled=True):
    for file in (name, name.replace("train", "dev")):
        (folder / file).write_bytes(content)
    found = draft_table(folder / name)
    block = {key: value for key, value, _ in found.keys}
    data = {key: value for key, (value, _) in block["data"].items()}
    comments = {key: comment for key, (_, comment) in block["data"].items()}
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in data.items()}
    task = TabularTask(DataKeys(**values))
    return data, comments, found.seen, list(task.read(folder / name, "train", labelled))


@pytest.mark.parametrize("name", ["label_text", "reply", "description", "x"])
def test_a_column_that_names_the_label_is_no_text_whatever_it_is_called(name):
    found = roles(**{name: NAMED}, text=TEXTS, label=NUMBERS)
    assert (found.text, found.text_pair, found.names) == ("text", None, name)
    assert found.guessed == {}
    assert roles(**{name: NAMED}, text=TEXTS, reply_2=OTHERS, label=NUMBERS).text_pair == "reply_2"


def test_a_class_above_the_label_tells_of_it_as_well_and_empty_cells_tell_nothing():
    above = [("a question of cards", "a question of money")[n % 3 == 2] for n in range(60)]
    assert roles(text=TEXTS, group_name=above, label=NUMBERS).text_pair is None
    gaps = ["" if n % 7 == 0 else name for n, name in enumerate(NAMED)]
    assert roles(text=TEXTS, about=gaps, label=NUMBERS).text_pair is None


def test_names_and_numbers_of_one_label_are_no_alternatives_of_each_other():
    found = roles(text=TEXTS, number=NUMBERS, about=[f"class {n}" for n in NUMBERS])
    assert found.text_pair is None and "label" not in found.guessed


@pytest.mark.parametrize(
    ("second", "label"),
    [
        (OTHERS[:4], ["1", "0", "1", "0"]),
        (OTHERS[:4], ["0.5", "4.2", "1.0", "3.3"]),
        (OTHERS[:2], ["1", "0"]),
        # rows that stand twice in a file of scores
        (OTHERS[:4] * 2, ["0.5", "4.2", "1.0", "3.3"] * 2),
        # canned replies of which each has one label
        (["we will look into it", "thanks for your words", "have a nice day"] * 20, "010" * 20),
    ],
)
def test_two_texts_stay_two_texts(second, label):
    first = TEXTS[: len(second)] if len(set(label)) < 4 else TEXTS[:4] * (len(second) // 4)
    found = roles(text=first, other=second, label=label)
    assert (found.text, found.text_pair, found.names) == ("text", "other", None)


def test_texts_that_come_back_with_their_label_are_all_there_is():
    found = roles(text=NAMED, user=[f"p {n}" for n in range(60)], label=NUMBERS)
    assert (found.text, found.text_pair, found.names) == ("text", None, None)


def test_names_beside_numbers_become_the_class_names(tmp_path):
    rows = zip(TEXTS, NUMBERS, NAMED, strict=True)
    data, comments, _, read = table(tmp_path, "text,label,label_text", rows)
    assert "text_pair" not in data and data["labels"] == NAMES
    assert "'label_text' has one value for each label" in comments["label"]
    assert [row.label for row in read] == [int(number) for number in NUMBERS]


@pytest.mark.parametrize(
    "numbers",
    [["1", "2", "3"], ["-1", "0", "1"], ["0", "1", "3"], ["0.0", "1.0", "2.0"]],
)
def test_numbers_that_are_no_places_keep_their_names_to_themselves(tmp_path, numbers):
    rows = [(TEXTS[n], numbers[n % 3], NAMED[n]) for n in range(60)]
    data, _, _, read = table(tmp_path, "text,label,label_text", rows)
    assert "labels" not in data and [row.label for row in read[:3]] == [0, 1, 2]


def test_of_two_classes_the_names_have_to_tell_which_one_counts(tmp_path):
    two = [(TEXTS[n], str(n % 2), ("bad", "good")[n % 2]) for n in range(60)]
    data, _, _, read = table(tmp_path, "text,label,label_text", two)
    assert data["labels"] == ["bad", "good"] and [row.label for row in read[:2]] == [0, 1]
    two = [(text, label, f"the {name} ones of them all") for text, label, name in two]
    assert "labels" not in table(tmp_path, "text,label,label_text", two)[0]


CHINESE = [
    "这家店的服务很好，下次还会再来",
    "味道一般般，价格有点贵",
    "完全不推荐",
    "環境不錯，適合聚會",
]
OTHER_BYTES = {
    "cp1252": [
        "Müller fährt für uns",
        "ein schönes Büro",
        "für Öl",
        "“good” it’s",
        "un garçon naïf",
    ],
    "big5": ["這家店的服務很好", "價格有點貴", "完全不推薦", "環境不錯"],
    "cp932": ["このみせはとてもいいです", "値段が少し高い", "二度と行きません"],
    "euc_jp": ["このみせはとてもいいです", "値段が少し高い", "二度と行きません"],
    "euc_kr": ["이 가게는 정말 좋아요", "가격이 조금 비싸요", "추천합니다"],
    "cp1251": ["очень хороший магазин", "никогда больше"],
    "cp874": ["ร้านนี้ดีมาก", "ไม่แนะนำ"],
}


@pytest.mark.parametrize("encoding", OTHER_BYTES)
def test_bytes_of_other_encodings_are_not_taken_for_chinese(tmp_path, encoding):
    rows = [f"{text} {n},{n % 2}\n" for n in range(9) for text in OTHER_BYTES[encoding]]
    (tmp_path / "train.csv").write_bytes("".join(["text,label\n", *rows]).encode(encoding))
    with pytest.raises(UserError) as error:
        encoding_of(tmp_path / "train.csv")
    assert error.value.problems[0].code == "draft.encoding-not-told"
    assert "iconv -f" in error.value.problems[0].hint


def test_chinese_between_keys_and_names_is_gb18030_and_a_line_of_it_is_shown(tmp_path):
    rows = [
        json.dumps({"user": "ann_lee", "says": CHINESE[n % 4], "label": "positive"})
        for n in range(9)
    ]
    plain = [row.encode().decode("unicode_escape") for row in rows]
    file = tmp_path / "train.jsonl"
    file.write_bytes("\n".join(plain).encode("gb18030"))
    assert encoding_of(file) == "gb18030" and "这家店的服务很好" in as_decoded(file, "gb18030")
    rows = [(f"{CHINESE[n % 4]} {n}", str(n % 2)) for n in range(20)]
    data, comments, seen, _ = table(tmp_path, "text,label", rows, encoding="gb18030")
    assert data["encoding"] == "gb18030" and comments["encoding"].startswith("a guess")
    assert f"encoding: gb18030 is a guess; in it line 2 reads '{CHINESE[0]} 0,0'" in seen


def test_utf8_with_a_broken_line_stays_utf8(tmp_path):
    """Its other lines are Chinese signs in GB18030 as well."""
    rows = "".join(f"{CHINESE[n % 4]} {n},{n % 2}\n" for n in range(20)).encode()
    (tmp_path / "train.csv").write_bytes(b"text,label\n" + b"\xff" + rows)
    assert encoding_of(tmp_path / "train.csv") == "utf-8"


def talk(number, **more):
    return {"messages": [{"role": "user", "content": f"why {number}"}], **more}


@pytest.mark.parametrize(
    "score", [lambda n: n / 7, lambda n: n, lambda n: f"{n / 7:.2f}"], ids=["real", "many", "text"]
)
def test_candidates_with_scores_are_numbers_and_no_classes(tmp_path, score):
    rows = [
        talk(n, candidates=[{"content": f"r {n + i}", "score": score(n + i)} for i in (0, 30)])
        for n in range(30)
    ]
    data, comments, seen, read = lines(tmp_path, rows)
    assert data["kind"] == "regression" and "(a score)" in seen[0]
    assert "ranked" not in comments["candidates"]
    assert [row.label for row in read[:2]] == [float(score(0)), float(score(30))]


def test_candidates_with_grades_stay_grades(tmp_path):
    rows = [
        talk(n, candidates=[{"content": f"r {n} {i}", "score": float(i)} for i in range(3)])
        for n in range(9)
    ]
    assert lines(tmp_path, rows)[0]["kind"] == "relevance"


def said(text):
    return [{"role": "assistant", "content": text}]


PREFERENCES = {
    "messages": lambda n: talk(n, chosen=said(f"yes {n}"), rejected=said(f"no {n}")),
    "plain": lambda n: {"prompt": f"why {n}", "chosen": f"yes {n}", "rejected": f"no {n}"},
    "mixed": lambda n: {"query": f"why {n}", "chosen": said(f"yes {n}"), "rejected": [f"no {n}"]},
}


@pytest.mark.parametrize("form", PREFERENCES)
def test_preferences_are_known_before_lists_of_candidates(tmp_path, form):
    data, _, _, read = lines(tmp_path, map(PREFERENCES[form], range(12)))
    assert (data["chosen"], data["rejected"]) == ("chosen", "rejected") and "label" not in data
    found = [(row.text_a, row.text_b, row.label, row.group) for row in read[:2]]
    assert found == [("why 0", "yes 0", 1, "d0"), ("why 0", "no 0", 0, "d0")]


def test_preferences_that_cannot_be_read_say_what_to_do(tmp_path):
    asked = {"role": "user", "content": "why"}
    for rows, code in (
        (
            [{"chosen": [asked, *said("yes")], "rejected": [asked, *said("no")]}],
            "whole-conversations",
        ),
        ([{"chosen": "Human: why Assistant: yes", "rejected": "Human: why"}], "no-prompt"),
    ):
        with pytest.raises(UserError) as error:
            lines(tmp_path, rows * 9)
        assert error.value.problems[0].code == f"draft.{code}"
    with pytest.raises(UserError) as error:
        table(
            tmp_path,
            "prompt,chosen,rejected",
            [(t, o, f"no {o}") for t, o in zip(TEXTS, OTHERS, strict=True)],
        )
    assert "JSON lines" in error.value.problems[0].hint


def test_a_label_beside_negatives_is_no_reply(tmp_path):
    file = tmp_path / "train.jsonl"
    file.write_text(
        "".join(json.dumps({"text": t, "label": "a", "negatives": ["b"]}) + "\n" for t in TEXTS)
    )
    assert dialogues_in(file, Layout(), "jsonl") is None


@pytest.mark.parametrize(
    ("train", "dev", "test"),
    [
        ("training.csv", "validation.csv", "test.csv"),
        ("my_Training_set.csv", "my_dev_set.csv", "my_test_set.csv"),
        ("constraints_train.csv", "constraints_dev.csv", "constraints_test.csv"),
        ("trainset.csv", "devset.csv", "testset.csv"),
        ("rows.csv", "valid.csv", "test.csv"),
        ("训练集.csv", "验证集.csv", "测试集.csv"),
        ("客服训练数据.csv", "客服开发数据.csv", "客服测试数据.csv"),
        ("train.csv", "验证集.csv", "测试.csv"),
        ("训练.csv", "dev.csv", "测试.csv"),
    ],
)
def test_files_beside_a_training_file(tmp_path, train, dev, test):
    for name in (train, dev, test):
        (tmp_path / name).write_text("")
    assert dev_beside(tmp_path / train)[0].name == dev
    assert beside(tmp_path / train, TEST).name == test


@pytest.mark.parametrize("name", ["train", "Training", "训练", "训练集", "训练数据"])
def test_a_folder_has_its_training_file_by_its_name(name):
    assert is_training(name) and not is_training(f"{name}_old")


def test_the_names_that_were_looked_for_are_those_of_files(tmp_path):
    (tmp_path / "training.csv").write_text("")
    with pytest.raises(UserError, match=r"looked for dev\.csv, valid\.csv, validation\.csv"):
        dev_beside(tmp_path / "training.csv")
    (tmp_path / "训练集.csv").write_text("")
    with pytest.raises(UserError, match=r"looked for 验证集\.csv, 开发集\.csv, 测试集\.csv"):
        dev_beside(tmp_path / "训练集.csv")


@pytest.mark.parametrize("word", ["NaN", "None", "null", "N/A", "NA", "nan"])
def test_words_for_no_value_are_classes_and_that_is_said(tmp_path, word):
    """The reader takes an empty cell alone for no label; ``none`` may well be a class."""
    rows = [(TEXTS[n], ("0", "1", word)[n % 3]) for n in range(60)]
    data, comments, _, read = table(tmp_path, "text,label", rows)
    assert f"'{word}' (20) is read as a class: an empty cell means no label" in comments["label"]
    assert {row.label for row in read} == {0, 1, 2} and "kind" not in data


def test_empty_cells_are_no_class(tmp_path):
    content = "".join(f"{text},{('0', '1', '')[n % 3]}\n" for n, text in enumerate(TEXTS))
    _, comments, _, read = drafted(tmp_path, "train.csv", b"text,label\n" + content.encode(), False)
    assert {row.label for row in read} == {0, 1, None} and "class" not in comments["label"]


def test_scores_with_a_word_for_no_value_are_scores(tmp_path):
    rows = [(TEXTS[n], "NaN" if n == 5 else f"{n / 7:.2f}") for n in range(60)]
    with pytest.raises(UserError, match="found the label 'NaN', expected a number"):
        table(tmp_path, "text,score", rows)
    block = draft_table(tmp_path / "train.csv").keys[0][1]
    assert block["kind"][0] == "regression" and "'NaN' (1) is no number" in block["label"][1]


def test_names_as_labels_stand_in_the_order_of_the_numbers_beside_them(tmp_path):
    """Else ``score_0`` would be another class than the file's number 0."""
    rows = [
        (text, name, str(2 - n % 3))
        for n, (text, name) in enumerate(zip(TEXTS, NAMED, strict=True))
    ]
    data, comments, _, read = table(tmp_path, "text,label,class_id", rows)
    assert data["labels"] == NAMES[::-1] and "class_id" in comments["labels"]
    assert read[0].label == 2, "the first name is number 2"


def test_a_class_above_the_names_does_not_hide_the_numbers(tmp_path):
    above = ("a question of cards", "a question of cards", "a question of money")
    rows = [(text, NAMES[n % 3], above[n % 3], str(2 - n % 3)) for n, text in enumerate(TEXTS)]
    data, *_ = table(tmp_path, "text,label,topic_name,class_id", rows)
    assert data["labels"] == NAMES[::-1]


@pytest.mark.parametrize("sign", [";", "；", "、", "|"])
def test_labels_between_other_signs_than_commas_are_told(tmp_path, sign):
    some = ("music", "payment", "shipping")
    cells = [
        sign.join((some[n % 3], some[(n + 1) % 3])) if n % 2 else some[n % 3] for n in range(60)
    ]
    rows = list(zip(TEXTS, cells, strict=True))
    with refused("draft.labels-between-others", repr(sign)):
        table(tmp_path, "text\ttags", [["\t".join(row)] for row in rows], "train.tsv")


@pytest.mark.parametrize("name", ["labels", "tags"])
def test_lists_of_many_labels_are_a_label_though_no_list_comes_back(tmp_path, name):
    """Hardly any of 300 lists of one to four labels out of thirty stands there twice."""
    some = [f"{what} {of}" for what in "late lost wrong".split() for of in "abcdefghij"]
    lists = [[*some[n % 30 : n % 30 + 1 + n // 30 % 4], some[n * 7 % 30]] for n in range(300)]
    lines = [
        json.dumps({"text": f"{TEXTS[n % 60]} {n}", name: held}) for n, held in enumerate(lists)
    ]
    for part in ("train", "dev"):
        (tmp_path / f"{part}.jsonl").write_text("\n".join(lines), "utf-8")
    block = draft_table(tmp_path / "train.jsonl").keys[0][1]
    assert block["label"][0] == name and block["kind"][0] == "multi_label"
    assert ("a guess" in block["label"][1]) is (name == "tags")
    assert block["text"][0] == "text" and "text_pair" not in block
    assert block["label"][1].count("(") == 6 and "… 30 labels" in block["label"][1]


def test_replies_whose_clauses_come_back_are_no_labels(tmp_path):
    replies = [", ".join(TEXTS[n * k % 7][:20] for k in (1, 2, 3)) for n in range(60)]
    with refused("draft.roles-not-told"):
        table(tmp_path, "query,reply", [(TEXTS[n], f'"{replies[n]}"') for n in range(60)])


def test_classes_with_such_a_sign_in_their_names_stay_classes(tmp_path):
    named = [("sports|football", "sports|tennis", "money|shares")[n % 3] for n in range(60)]
    data, *_ = table(tmp_path, "text,label", list(zip(TEXTS, named, strict=True)))
    assert "kind" not in data


def test_all_files_of_a_block_are_in_one_encoding(tmp_path):
    words = "我的快递到哪里了请问还没有收到你们的东西"
    rows = [f"{words}{n},{n % 2}" for n in range(20)]
    text = "\n".join(["text,label", *rows]) + "\n"
    (tmp_path / "train.csv").write_bytes(text.encode("gb18030"))
    (tmp_path / "dev.csv").write_bytes(text.encode("utf-8"))
    with refused("draft.other-encoding", "dev.csv", "iconv -f utf-8 -t gb18030"):
        draft_table(tmp_path / "train.csv")
    (tmp_path / "dev.csv").write_text("text,label\nhow are you,1\nfine today,0\n")
    assert draft_table(tmp_path / "train.csv").keys, "plain ASCII is the same in both"


def test_excels_own_first_line_is_told(tmp_path):
    rows = "\n".join(f"{text};{n % 2}" for n, text in enumerate(TEXTS))
    with refused("draft.first-line-of-excel", "sep=;"):
        drafted(tmp_path, "train.csv", f"sep=;\ntext;label\n{rows}\n".encode())


def test_a_test_file_that_serves_as_dev_is_no_test_set_any_more(tmp_path):
    (tmp_path / "train.csv").write_text("text,label\n")
    (tmp_path / "test.csv").write_text("text,label\n")
    file, comment = dev_beside(tmp_path / "train.csv")
    assert file.name == "test.csv" and "no test set" in comment

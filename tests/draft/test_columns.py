"""What is text, label and group in a table, told by cells and names."""

import pytest

from chatstill.draft.columns import Column, roles_of

TEXTS = [f"some words about number {n} and more" for n in range(60)]
OTHERS = [f"another sentence, the {n}th of them" for n in range(60)]
CLASSES = ["good", "bad", "fair"] * 20


def roles(**columns):
    found = roles_of([Column.of(name, cells) for name, cells in columns.items()])
    return (
        found if isinstance(found, str) else (found.text, found.text_pair, found.label, found.group)
    )


def test_cells_tell_text_and_label_whatever_their_names():
    assert roles(x=TEXTS, y1=CLASSES) == ("x", None, "y1", None)
    assert roles(c=["1", "0"] * 30, a=TEXTS, b=OTHERS) == ("a", "b", "c", None)


def test_names_decide_which_text_is_first_and_which_column_is_the_label():
    found = roles(reply=TEXTS, query=OTHERS, kind=["a", "b"] * 30, label=["1", "0"] * 30)
    assert found == ("query", "reply", "label", None)


def test_a_query_that_stands_with_each_of_its_replies_is_a_text():
    queries = [f"why {n // 4}" for n in range(60)]
    assert roles(query=queries, text=TEXTS, grade=CLASSES)[:3] == ("query", "text", "grade")
    assert roles(text=TEXTS, answer=["yes", "no"] * 30)[2] == "answer", "the only label there is"


def test_numbers_and_ids_are_no_texts():
    ids = [str(n) for n in range(60)]
    assert roles(id=ids, text=TEXTS, label=CLASSES)[:2] == ("text", None)


COMMENTS = [
    f"{a}{b}"
    for a in (
        "味道很好，",
        "服务态度一般，",
        "上菜太慢了，",
        "性价比不错，",
        "分量足，",
        "环境有点吵，",
    )
    for b in (
        "下次还会再来。",
        "不会再来了",
        "朋友也这么说，推荐大家试试。",
        "总之还可以",
        "给五星！",
        "老板人很好。",
        "就是停车不方便",
        "等了四十分钟才上齐",
        "孩子很喜欢",
        "有待改进。",
    )
]
CODES = [f"R0{n * 7919 % 65536:04X}{n % 10}" for n in range(60)]
USERS = [
    f"{'王李张刘陈杨'[n % 6]}{'小明伟芳娜敏静丽强磊'[n % 10]}{'军洋勇艳杰'[n % 5]}"
    for n in range(60)
]
LOGINS = [f"{('ann', 'bob', 'eve')[n % 3]}_{n * 37 % 900}" for n in range(60)]
TIMES = [f"2026-0{1 + n % 9}-{10 + n % 19} 1{n % 10}:{10 + n % 49}:00" for n in range(60)]
SHOPS = ["中山路店", "人民广场店", "大学城店"] * 20
FEELINGS = ["正面", "负面"] * 30
CANNED = ["您好，请提供一下您的订单号。", "不客气，祝您生活愉快！", "我们会尽快为您处理的。"] * 20


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"id": CODES, "user_name": USERS, "评论": COMMENTS, "门店": SHOPS, "情感": FEELINGS},
            "评论 情感",
        ),
        ({"编号": CODES, "评论内容": COMMENTS, "评价": ["好评", "差评"] * 30}, "评论内容 评价"),
        ({"a": CODES, "b": USERS, "c": COMMENTS, "d": TIMES, "e": FEELINGS}, "c e"),
        (
            {
                "订单号": CODES,
                "下单时间": TIMES,
                "买家昵称": LOGINS,
                "商品名称": SHOPS,
                "评价内容": COMMENTS,
                "评分": ["5", "4", "1"] * 20,
            },
            "评价内容 评分",
        ),
        ({"review_id": CODES, "product": SHOPS, "review": TEXTS, "stars": CLASSES}, "review stars"),
        ({"login": LOGINS, "when": TIMES, "words": TEXTS, "kind": CLASSES}, "words kind"),
        ({"问题": COMMENTS, "满意度": ["非常满意", "一般", "不满意"] * 20}, "问题 满意度"),
    ],
)
def test_identifiers_names_and_times_are_no_texts_in_any_language(columns, expected):
    text, label = expected.split()
    assert roles(**columns)[::2] == (text, label) and roles(**columns)[1] is None


def test_texts_of_few_distinct_values_are_texts():
    assert roles(c1=COMMENTS, c2=CANNED, c3=["0", "1"] * 30)[:3] == ("c1", "c2", "c3")
    assert roles(问题=CANNED, 回答=CANNED[::-1], 满意度=["满意", "不满意"] * 30)[:3] == (
        "问题",
        "回答",
        "满意度",
    )


def test_turns_are_the_first_text_and_a_reply_the_second():
    turns = [f"{a},{b}" for a, b in zip(COMMENTS, CANNED, strict=True)]
    found = roles(id=CODES, turns=turns, reply=CANNED, label=["0", "1"] * 30)
    assert found == ("turns", "reply", "label", None)


def test_several_columns_of_0_and_1_are_a_label_each():
    flags = {name: ["0", "1", "1", "0", f"{n}"] * 12 for n, name in enumerate(("food", "noise"))}
    columns = {"id": CODES, "comment_text": TEXTS, **flags}
    found = roles_of([Column.of(name, cells) for name, cells in columns.items()])
    assert (found.text, found.labels) == ("comment_text", ("food", "noise"))
    assert roles(**columns, label=CLASSES)[2] == "label"


def test_a_group_without_a_name_is_told_by_its_text_and_marked():
    codes = [f"K{n // 4:03d}" for n in range(60)]
    queries = [COMMENTS[n // 4] for n in range(60)]
    columns = {"k": codes, "q": queries, "r": OTHERS, "fits": ["1", "0", "0", "0"] * 15}
    found = roles_of([Column.of(name, cells) for name, cells in columns.items()])
    assert found.group == "k" and "a guess" in found.guessed["group"]
    assert roles(**columns | {"k": CODES})[3] is None


def test_what_is_guessed_is_marked_on_its_line():
    columns = {"x": TEXTS, "y": OTHERS, "one": CLASSES, "two": ["u", "v"] * 30}
    found = roles_of([Column.of(name, cells) for name, cells in columns.items()])
    assert found.label == "two" and "it could be 'one'" in found.guessed["label"]
    assert "take it out" in found.guessed["text_pair"]
    sure = [Column.of(n, c) for n, c in {"text": TEXTS, "reply": OTHERS, "label": CLASSES}.items()]
    assert roles_of(sure).guessed == {}


def test_many_numbers_are_a_score():
    scores = [f"{n / 7:.2f}" for n in range(60)]
    assert roles(a=TEXTS, b=OTHERS, score=scores) == ("a", "b", "score", None)


def test_a_group_is_known_by_its_name_and_needs_a_pair():
    qid = [f"q{n // 4}" for n in range(60)]
    pair = {"query": TEXTS, "reply": OTHERS, "label": ["0", "1"] * 30, "qid": qid}
    assert roles(**pair) == ("query", "reply", "label", "qid")
    del pair["reply"]
    assert roles(**pair)[3] is None


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"text": TEXTS}, "looks like a label"),
        ({"label": CLASSES, "n": ["1", "2"] * 30}, "looks like text"),
    ],
)
def test_what_cannot_be_told_is_said(columns, reason):
    assert reason in roles(**columns)

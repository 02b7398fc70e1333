"""Which column of a table is a text, the label or a group: by its name, and by what its cells hold."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..tasks.label_cells import label_parts
from .label_words import told_by
from .values import MOST_WORDS_OF_A_LABEL, is_language, is_technical, mean_words

LABEL_NAMES = (
    "label labels class category target score gold y intent topic sentiment emotion quality rating stars "
    "标签 类别 分类 类型 意图 情感 情绪 情感倾向 是否匹配 匹配 相关性 相关度 满意度 评分 打分 得分 分数 "
    "星级 等级 评级 评价 结果"
).split()
GROUP_NAMES = (
    "group group_id qid query_id question_id dialog_id dialogue_id conversation_id session_id "
    "组 分组 组号 问题编号 问题id 会话编号 会话id 对话编号 对话id 查询编号 查询id"
).split()
SECOND_NAMES = (
    "text_b text_pair sentence2 question2 reply response answer hypothesis candidate second "
    "回复 回答 答复 答案 回应 候选 候选回复 句子2 文本2 问题2 回复内容 客服回复 机器人回复"
).split()
FIRST_NAMES = (
    "text_a text sentence sentence1 query question question1 premise comment comment_text review content "
    "turns dialog dialogue conversation history context message messages conversations utterance title "
    "文本 句子 内容 正文 评论 评论内容 评价内容 留言 反馈 反馈内容 问题 问句 提问 用户问题 用户输入 对话 "
    "对话内容 句子1 文本1 问题1 标题 描述"
).split()
# Never texts or labels, whatever they hold.
OTHER_NAMES = (
    "id index no number uid user user_id user_name username name author nickname time date datetime "
    "timestamp created_at updated_at url link ip phone email order_id product_id "
    "编号 序号 用户 用户名 用户id 昵称 买家 买家昵称 姓名 作者 时间 日期 下单时间 评论时间 创建时间 "
    "订单号 订单编号 链接 电话 手机号 邮箱 门店 店铺 商品 商品名称 产品"
).split()
MOST_CLASSES = 200
USUAL = {*LABEL_NAMES, *GROUP_NAMES, *SECOND_NAMES, *FIRST_NAMES, *OTHER_NAMES}
_ID = re.compile(
    r"(id|index|idx|guid|uuid|编号|序号|(row|sample|example|text|item|record|review|comment|message|"
    r"pair|doc|document|dialog|dialogue|conversation)_?id)"
)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Column:
    """What the cells of a column look like.

    Attributes:
        name: Its name.
        values: How often each cell stands there.
        length: Mean number of characters.
        numeric: Whether all cells are numbers.
        whole: Whether all are whole numbers.
        filled: Number of cells that hold something.
        language: Whether they hold language.
        technical: Whether they are times, codes, addresses.
        words: Mean number of words.
        cells: As they stand, in order.
    """

    name: str
    values: Counter[str]
    length: float
    numeric: bool
    whole: bool
    filled: int
    language: bool = False
    technical: bool = False
    words: float = 0.0
    cells: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, name: str, cells: Sequence[str]) -> "Column":
        """From the cells of a sample."""
        stripped = tuple(cell.strip() for cell in cells)
        held = [cell for cell in stripped if cell]
        numeric = bool(held) and all(_NUMBER.fullmatch(cell) for cell in held)
        whole = numeric and all(float(cell).is_integer() for cell in held)
        length = sum(map(len, held)) / max(len(held), 1)
        values = Counter(held)
        distinct = list(values)
        return cls(
            name,
            values,
            length,
            numeric,
            whole,
            len(held),
            not numeric and is_language(distinct),
            numeric or is_technical(distinct),
            mean_words(values),
            stripped,
        )

    @property
    def few(self) -> bool:
        """Whether values repeat as those of a label do."""
        return 1 < len(self.values) <= max(2, min(MOST_CLASSES, self.filled // 3))

    @property
    def parts_repeat(self) -> bool:
        """Whether cells are several short labels, which repeat where whole cells hardly do."""
        parts = [part for cell in self.cells for part in label_parts(cell)]
        distinct = set(parts)
        most = min(MOST_CLASSES, len(parts) // 5)
        short = max(map(len, distinct), default=0) <= 40
        return self.filled < len(parts) and 1 < len(distinct) <= most and short

    @property
    def plain(self) -> str:
        """The name without case and blanks."""
        return "".join(self.name.casefold().split())

    @property
    def is_text(self) -> bool:
        """Whether it can be a text: language, or named so and neither numbers nor codes."""
        if not self.filled or self.technical or self.plain in OTHER_NAMES:
            return False
        return self.language or self.plain in (*FIRST_NAMES, *SECOND_NAMES)

    @property
    def is_flag(self) -> bool:
        """Whether it holds 0 and 1 alone."""
        return bool(self.values) and set(self.values) <= {"0", "1", "0.0", "1.0"}


@dataclass(frozen=True)
class Roles:
    """What the columns are; the second text and the group may be missing.

    Attributes:
        text: Column of the first text.
        text_pair: Of the second one.
        label: Of the label.
        group: Of the groups.
        labels: Columns of 0 and 1, one a label, in place of ``label``.
        id: Of what rows are called.
        names: A column with one value for each label: it tells the label, and is no text.
        guessed: Role -> why it is a guess.
    """

    text: str
    text_pair: str | None
    label: str
    group: str | None
    labels: tuple[str, ...] = ()
    id: str | None = None
    names: str | None = None
    guessed: dict[str, str] = field(default_factory=dict, compare=False)


def roles_of(columns: Sequence[Column]) -> Roles | str:
    """What each column is, or in words why it can't be told."""
    guessed: dict[str, str] = {}
    flags = _flags(columns)
    label = None if flags else _label(columns, guessed)
    if label is None and not flags:
        return "no column looks like a label: one whose values repeat, or that is called label"
    rest = [column for column in columns if column is not label and column not in flags]
    told = told_by(flags if label is None else [label], rest)
    others = [column for column in rest if column not in told]
    texts = [column for column in others if column.is_text] or _likeliest(others, guessed)
    texts = texts or [c for c in told if c.is_text and c.plain in FIRST_NAMES][:1]
    if not texts:
        beside = f"'{label.name}'" if label is not None else "the labels"
        return f"no column beside {beside} looks like text"
    named = sorted(texts, key=lambda column: _order(column, columns.index(column)))
    first = named[0]
    second = next((c for c in named[1:] if _is_second(c, first)), None)
    _mark_texts(first, second, texts, guessed)
    group = _group(others, first, second, guessed) if second is not None else None
    return Roles(
        first.name,
        second.name if second is not None else None,
        flags[0].name if label is None else label.name,
        group,
        tuple(column.name for column in flags),
        next((c.name for c in rest if c.name != group and is_identifier(c.name, c.cells)), None),
        next((c.name for c in told if c not in texts and not c.technical), None),
        guessed,
    )


def is_usual(name: str) -> bool:
    """Whether columns are often called so."""
    return name.strip().casefold() in USUAL


def is_identifier(name: str, cells: Sequence[str]) -> bool:
    """Whether a column is called as identifiers are, and tells every row from all others."""
    called = _ID.fullmatch("".join(name.casefold().split())) is not None
    return called and all(cells) and len(set(cells)) == len(cells)


def _likeliest(rest: Sequence[Column], guessed: dict[str, str]) -> list[Column]:
    """Where no column holds language: the one of most words that is no code and hardly repeats."""
    words = [c for c in rest if not c.technical and not c.few and c.plain not in OTHER_NAMES]
    words = [column for column in words if column.words > 0]
    if words:
        guessed["text"] = "a guess: its values are short for a text"
    return sorted(words, key=lambda column: -column.words)[:1]


def _flags(columns: Sequence[Column]) -> list[Column]:
    """Columns of 0 and 1 that stand for one label each: several, and none is called label."""
    found = [c for c in columns if c.is_flag and c.plain not in (*OTHER_NAMES, *GROUP_NAMES)]
    named = any(c.plain in LABEL_NAMES and (c.few or c.numeric) for c in columns)
    return found if len(found) > 1 and not named else []


def _label(columns: Sequence[Column], guessed: dict[str, str]) -> Column | None:
    def order(column: Column) -> tuple[bool, int, bool, int, int]:
        known = column.plain in LABEL_NAMES
        place = LABEL_NAMES.index(column.plain) if known else 0
        wordy = column.words > MOST_WORDS_OF_A_LABEL
        return not known, place, wordy, len(column.values), -columns.index(column)

    never = (*OTHER_NAMES, *GROUP_NAMES, *FIRST_NAMES)

    def may_be(column: Column) -> bool:
        known = column.plain in LABEL_NAMES
        if not column.filled or column.plain in never:
            return False
        if known:
            return column.few or column.numeric or not column.language
        return column.few and column.length <= 40 and column.plain not in SECOND_NAMES

    candidates = [column for column in columns if may_be(column)]
    scores = [c for c in columns if c.numeric and not c.whole and c.plain not in OTHER_NAMES]
    lists = [c for c in columns if c.plain in SECOND_NAMES and c.few and c.length <= 40]
    single = candidates or scores or lists
    several = [] if single else [c for c in columns if c.plain not in (*never, *SECOND_NAMES)]
    found = min(single or [c for c in several if c.parts_repeat], key=order, default=None)
    if found is not None and found.plain not in LABEL_NAMES:
        if not single:
            guessed["label"] = "a guess: cells of several labels that come back"
        same = told_by([found], [c for c in columns if c is not found])
        others = [c.name for c in candidates if c is not found and not c.is_text and c not in same]
        if others:
            guessed["label"] = f"a guess: it could be {' or '.join(map(repr, others[:3]))}"
    return found


def _mark_texts(
    first: Column, second: Column | None, texts: Sequence[Column], guessed: dict[str, str]
) -> None:
    known = (*FIRST_NAMES, *SECOND_NAMES)
    others = [c.name for c in texts if c not in (first, second)]
    if first.plain not in known and others:
        guessed["text"] = f"a guess: it could be {' or '.join(map(repr, others[:3]))}"
    if second is not None and second.plain not in SECOND_NAMES:
        guessed["text_pair"] = "a guess: take it out if it is no second text"


def _group(
    rest: Sequence[Column], first: Column, second: Column | None, guessed: dict[str, str]
) -> str | None:
    """A column called so; else one whose every value has one first text, and several rows."""
    for column in rest:
        if column.plain in GROUP_NAMES and column.few:
            return column.name
    for column in rest:
        if column in (first, second) or not column.technical:
            continue
        texts: dict[str, set[str]] = {}
        for name, text in zip(column.cells, first.cells, strict=True):
            texts.setdefault(name, set()).add(text)
        rows = len(column.cells) / max(len(texts), 1)
        if rows >= 2 and len(texts) > 1 and all(len(found) == 1 for found in texts.values()):
            guessed["group"] = "a guess: all rows of one value have the same first text"
            return column.name
    return None


def _order(column: Column, place: int) -> tuple[int, int, int]:
    """First texts by the list of names, then language by its place, then second texts."""
    if column.plain in FIRST_NAMES:
        title = column.plain in ("title", "标题", "描述")
        return (1 if title else 0), place, 0
    return (3 if column.plain in SECOND_NAMES else 2), place, 0


def _is_second(column: Column, first: Column) -> bool:
    """A second text is named so, or is language of about the length of the first one."""
    if column.plain in SECOND_NAMES:
        return True
    return column.language and column.length * 4 > first.length

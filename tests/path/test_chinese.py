"""The whole path on Chinese, simplified and traditional, with what real files hold besides words."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers as tf

from chatstill import cli
from chatstill.tasks import get_task
from chatstill.tasks.predictions import read_predictions
from tests.draws import reseeded
from tests.longer import longer

LENGTH = 48
TALK = [
    ("你好", "你好，很高兴见到你"),
    ("你叫什么名字", "我叫小明"),
    ("今天天气怎么样", "今天是晴天"),
    ("你会说中文吗", "会说一点"),
    ("你在哪里工作", "我在医院工作"),
    ("这本书多少钱", "三十块钱"),
    ("你喜欢喝茶吗", "我更喜欢咖啡"),
    ("什麼是人工智慧", "讓機器像人一樣思考"),
    ("你最喜歡的電影是什麼", "我喜歡看老電影"),
    ("幾點了", "快八點了"),
]
LONG = "我們一起去看電影吧，" * 200
HARD = [
    ("今天好开心😀👨‍👩‍👧", "恭喜你🎉🎉"),
    ("ＡＢＣ１２３是什么？", "全角字符，！"),
    ("讲个长故事", LONG),
    ("第一行\u2028第二行", "分行符\u2029也是文字\x85"),
    ("空字符\x00在这里", "没问题\x00"),
    ("零宽\u200b空格\ufeff", "一\r二\x0b三"),
    ("𠮷野家好吃吗", "好吃"),
]


def literal_rows(split):
    """Each query with its own reply and another's."""
    rows = []
    for number, (query, reply) in enumerate(TALK):
        wrong = TALK[(number + 3) % len(TALK)][1]
        rows += [(query, reply, 1, f"{split}-{number}"), (query, wrong, 0, f"{split}-{number}")]
    return rows


def corpus_rows(language, folder):
    """The conversations of a language, as the demo reads them."""
    pytest.importorskip("chatterbot_corpus")
    import chat_corpus

    chat_corpus.build(folder, language, max_train_rows=320)
    found = {}
    for split in ("train", "dev"):
        text = (folder / f"{split}.data.txt").read_text(encoding="utf-8")
        lines = text.removesuffix("\n").split("\n")
        found[split] = [tuple(line.split("\t")) for line in lines][:320]
    return found


def write_rows(path: Path, rows) -> None:
    """As a file from Windows: byte order mark, CRLF, no line end after the last row."""
    lines = ["\t".join(map(str, row)) for row in rows]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode("utf-8"))


def build_bert(folder: Path, texts) -> Path:
    """A tiny random BERT that knows the characters of the texts but the rarest."""
    signs = sorted({sign for text in texts for sign in text if "\u4e00" <= sign <= "\u9fff"})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *signs[: len(signs) * 9 // 10]]
    pieces += [*"，。？！,.?!", *"abc123", "##b", "##c", "##2", "##3"]
    tokenizer = tf.BertTokenizer(vocab={piece: n for n, piece in enumerate(pieces)})
    torch.manual_seed(reseeded(0))
    config = tf.BertConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=2,
        hidden_size=32,
        num_attention_heads=2,
        intermediate_size=48,
        max_position_embeddings=LENGTH,
    )
    tf.BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=longer(["literal", "chinese", "traditionalchinese"], keep=2))
def made(request, tmp_path_factory):
    """Teach, Theseus: a run folder of each, and the rows that went in."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "literal":
        rows = {split: literal_rows(split) for split in ("train", "dev")}
    else:
        rows = corpus_rows(request.param, folder / "corpus")
    for split, own in rows.items():
        hard = [(*pair, number % 2, f"hard-{split}") for number, pair in enumerate(HARD)]
        rows[split] = [*own[:5], *hard, *own[5:]]
    (folder / "data" / "chat").mkdir(parents=True)
    for split, own in rows.items():
        write_rows(folder / "data" / "chat" / f"{split}.data.txt", own)
    bert = build_bert(
        folder / "bert", [text for own in rows.values() for r in own for text in r[:2]]
    )
    common = {
        "task_name": "chat",
        "data_dir": str(folder / "data"),
        "max_seq_length": LENGTH,
        "per_gpu_train_batch_size": 16,
        "learning_rate": 1e-3,
        "allow_weak_teacher": True,
    }
    teach = {
        "teacher_architectures": {"model_name_or_path": str(bert)},
        "output_dir": str(folder / "taught"),
        "num_train_epochs": 2,
    }
    distill = {
        "model_type": "theseus",
        "teacher_architectures": {"model_name_or_path": str(folder / "taught" / "teacher")},
        "student_architectures": {"num_hidden_layers": 1},
        "theseus_scheduler": {"replacing_rate": 0.5, "scheduler_linear_k": "auto"},
        "output_dir": str(folder / "run"),
        "num_train_epochs": 2,
    }
    for verb, own in (("teach", teach), ("distill", distill)):
        path = folder / f"{verb}.json"
        path.write_text(json.dumps({**common, **own}, ensure_ascii=False), encoding="utf-8")
        assert cli.main([verb, str(path)]) == 0
    return SimpleNamespace(folder=folder, rows=rows, config=folder / "distill.json")


def test_every_row_is_one_row(made):
    for split, own in made.rows.items():
        path = made.folder / "data" / "chat" / f"{split}.data.txt"
        found = [(e.text_a, e.text_b, e.label, e.group) for e in get_task("chat").read(path, split)]
        assert found == [(a, b, int(label), group) for a, b, label, group in own]


def test_the_run_scored_every_row_of_dev(made):
    metrics = json.loads((made.folder / "run" / "metrics.json").read_text(encoding="utf-8"))
    groups = {row[3] for row in made.rows["dev"]}
    assert metrics["dev"]["rows"] == len(made.rows["dev"])
    assert metrics["dev"]["metrics"]["groups"] == len(groups)
    written = read_predictions(made.folder / "run" / "predictions.tsv", ("0", "1"))
    assert written.labels.tolist() == [float(row[2]) for row in made.rows["dev"]]
    assert written.groups == [row[3] for row in made.rows["dev"]]


def test_transformers_alone_gives_the_same_scores(made):
    written = read_predictions(made.folder / "run" / "predictions.tsv", ("0", "1")).scores
    folder = made.folder / "run" / "student"
    model = tf.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = tf.AutoTokenizer.from_pretrained(folder)
    for number, (query, reply, *_) in enumerate(made.rows["dev"][:40]):
        inputs = tokenizer(
            query, reply, truncation="longest_first", max_length=LENGTH, return_tensors="pt"
        )
        with torch.no_grad():
            logits = model(**inputs).logits[0].numpy()
        np.testing.assert_allclose(written[number], logits, atol=1e-4, err_msg=repr(query))


def test_evaluate_gives_the_figures_of_the_run(made, tmp_path):
    output = tmp_path / "scored"
    arguments = ["evaluate", str(made.folder / "run"), "--config", str(made.config)]
    assert cli.main([*arguments, "--output", str(output)]) == 0
    again = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    first = json.loads((made.folder / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert again["dev"]["metrics"] == pytest.approx(first["dev"]["metrics"])


def test_predict_takes_the_texts_alone(made, tmp_path):
    write_rows(tmp_path / "rows.txt", [row[:2] for row in made.rows["dev"]])
    target = tmp_path / "scores.tsv"
    arguments = ["predict", str(made.folder / "run"), str(tmp_path / "rows.txt")]
    assert cli.main([*arguments, "--output", str(target)]) == 0
    scores = read_predictions(target, ("0", "1")).scores
    first = read_predictions(made.folder / "run" / "predictions.tsv", ("0", "1")).scores
    np.testing.assert_allclose(scores, first, atol=1e-5)

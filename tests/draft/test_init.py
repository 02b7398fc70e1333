"""``chatstill init``: what is seen in files stands in the configuration, and the check passes."""

import json
import shutil

import numpy as np
import pytest

from chatstill import cli
from chatstill.config.source import read_source
from chatstill.draft.teacher import Model, length_for
from tests.draws import reseeded

from ..pages import ROOT, fences
from ..path import by_hand, world

SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A taught teacher of two classes, and a body without a head."""
    folder = tmp_path_factory.mktemp("models")
    world.build_network(folder / "teacher", layers=4, dropout=0.0)
    by_hand.make_right(folder / "teacher")
    import transformers as tf

    body = world.build_network(folder / "body", layers=4)
    tf.AutoModel.from_pretrained(body).save_pretrained(body)
    return folder


def values_of(name):
    from pathlib import Path

    source, problems, _ = read_source(Path(name), [])
    assert problems == []
    return source.values


def write_rows(folder, name, lines, encoding="utf-8"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n", encoding=encoding)


def reviews(count, sign=",", seed=0):
    generator = np.random.default_rng(reseeded(seed))
    return [
        f"{world.sentence(generator, good=n % 2, bad=1 - n % 2)} {world.WORDS[n % 13]}"
        f"{sign}{('bad', 'good')[n % 2]}"
        for n in range(count)
    ]


@pytest.mark.parametrize(("words", "length"), [(10, 16), (20, 32), (50, 64)])
def test_the_length_is_the_least_that_leaves_rows_whole(models, words, length):
    model = Model(str(models / "teacher"), "bert", 4, 2, 64, "")
    found = length_for(model, [(" ".join(["where"] * words), None)] * 20)
    assert found is not None and found.value == length


def test_chat_and_a_teacher_make_a_configuration_that_passes_the_check(elsewhere, models, capsys):
    world.write_chat(elsewhere / "data")
    teacher = str(models / "teacher")
    assert cli.main(["init", "data", teacher]) == 0
    said = capsys.readouterr().out
    assert "the task chat (no_match, match)" in said and "a classifier of 2 outputs" in said
    values = values_of("distill.jsonc")
    assert (values["task_name"], values["data_dir"]) == ("chat", "data")
    assert values["student_architectures"] == {"num_hidden_layers": 2}
    assert values["max_seq_length"] == 16, "the longest row has 15 tokens"
    text = (elsewhere / "distill.jsonc").read_text("utf-8")
    assert "// of the teacher's 4; each replaces 2" in text and "// tokens: half of" in text
    assert cli.main(["check", "distill.jsonc"]) == 0
    assert "replacing rate" in capsys.readouterr().out


def test_the_class_that_counts_is_named_where_the_words_tell_it(elsewhere, models, capsys):
    for split, count in (("train", 60), ("dev", 20)):
        write_rows(elsewhere / "data", f"{split}.csv", ["text,label", *reviews(count)])
    assert cli.main(["init", "data", str(models / "teacher")]) == 0
    assert values_of("distill.jsonc")["positive_label"] == "good"
    for split in ("train", "dev"):
        text = (elsewhere / f"data/{split}.csv").read_text().replace("bad\n", "b\n")
        write_rows(
            elsewhere / "data", f"{split}.csv", text.replace("good\n", "a\n").split("\n")[:-1]
        )
    capsys.readouterr()
    assert cli.main(["init", "data", str(models / "teacher"), "--output", "other.jsonc"]) == 0
    assert "positive_label" not in values_of("other.jsonc")
    assert "f1 is left out: neither 'a' nor 'b' says by its name" in capsys.readouterr().out


@pytest.mark.parametrize("named", [False, True])
def test_vectors_of_0_and_1_have_a_place_for_their_names(elsewhere, models, named):
    generator = np.random.default_rng(0)
    for split, count in (("train", 60), ("dev", 20)):
        flags = generator.integers(0, 2, (count, 3)).tolist()
        texts = [world.sentence(generator, good=1) for _ in range(count)]
        rows = [json.dumps({"text": t, "label": f}) for t, f in zip(texts, flags, strict=True)]
        write_rows(elsewhere / "data", f"{split}.jsonl", rows)
    if named:
        write_rows(elsewhere / "data", "labels.txt", ["service", "food", "noise"])
    assert cli.main(["init", "data", str(models / "body"), "--output", "my.jsonc"]) == 0
    data = values_of("my.jsonc")["data"]
    assert data["kind"] == "multi_label"
    if named:
        assert data["labels"] == "data/labels.txt"
    else:
        assert data["labels"] == ["label_1", "label_2", "label_3"]
        assert "a guess: write the label of each place" in (elsewhere / "my.jsonc").read_text(
            "utf-8"
        )
    assert cli.main(["check", "my.jsonc"]) == 0


def test_rows_without_labels_beside_lead_to_a_method_that_learns_from_them(elsewhere, models):
    write_rows(elsewhere / "reviews", "train.csv", ["text,label", *reviews(40)])
    write_rows(elsewhere / "reviews", "dev.csv", ["text,label", *reviews(40, seed=1)])
    logs = [line.split(",")[0] for line in reviews(20, seed=2)]
    write_rows(elsewhere / "reviews", "unlabeled.csv", ["text", *logs])
    assert cli.main(["init", "reviews/train.csv", str(models / "teacher")]) == 0
    values = values_of("distill.jsonc")
    assert values["model_type"] == "KD" and "theseus_scheduler" not in values
    assert values["data"]["unlabeled"] == "reviews/unlabeled.csv"
    assert values["student_architectures"] == {"num_hidden_layers": 2}
    assert cli.main(["check", "distill.jsonc", "--set", "allow_weak_teacher=true"]) == 0
    assert cli.main(["init", "reviews/train.csv", str(models / "body")]) == 0
    assert "unlabeled" not in values_of("teach.jsonc")["data"], "a teacher needs labels"


@pytest.mark.parametrize(("lines", "found"), [("{0}", True), ("{0}\t{0}", False)])
def test_a_text_file_of_logs_beside_is_found_where_it_holds_the_texts(
    elsewhere, models, lines, found
):
    write_rows(elsewhere / "reviews", "train.csv", ["text,label", *reviews(40)])
    write_rows(elsewhere / "reviews", "dev.csv", ["text,label", *reviews(40, seed=1)])
    logs = [lines.format(line.split(",")[0]) for line in reviews(20, seed=2)]
    write_rows(elsewhere / "reviews", "unlabeled.txt", logs)
    assert cli.main(["init", "reviews/train.csv", str(models / "teacher")]) == 0
    data = values_of("distill.jsonc")["data"]
    assert ("unlabeled" in data) is found
    assert cli.main(["check", "distill.jsonc", "--set", "allow_weak_teacher=true"]) == 0


def test_training_rows_without_a_label_lead_to_it_as_well(elsewhere, models):
    rows = reviews(40)
    for place in (3, 8, 30):
        rows[place] = rows[place].split(",")[0] + ","
    write_rows(elsewhere / "reviews", "train.csv", ["text,label", *rows])
    write_rows(elsewhere / "reviews", "dev.csv", ["text,label", *reviews(40, seed=1)])
    assert cli.main(["init", "reviews/train.csv", str(models / "teacher")]) == 0
    values = values_of("distill.jsonc")
    assert values["model_type"] == "KD" and "theseus_scheduler" not in values
    said = (elsewhere / "distill.jsonc").read_text("utf-8")
    assert "// 3 of 40 training rows have no label: it learns from them too" in said
    assert cli.main(["check", "distill.jsonc", "--set", "allow_weak_teacher=true"]) == 0
    assert cli.main(["init", "reviews/train.csv", str(models / "body")]) == 0
    assert values_of("teach.jsonc")["skip_unlabeled"] is True
    assert cli.main(["check", "teach.jsonc"]) == 0


def test_a_transfer_set_of_chat_leads_to_the_same(elsewhere, models):
    world.write_chat(elsewhere / "data")
    (elsewhere / "data" / "chat" / "unlabeled.data.txt").write_text("who\tme\n" * 4)
    assert cli.main(["init", "data", str(models / "teacher")]) == 0
    assert values_of("distill.jsonc")["model_type"] == "KD"


def test_it_is_never_overwritten(elsewhere, models, capsys):
    world.write_chat(elsewhere / "data")
    (elsewhere / "distill.jsonc").write_text("mine", encoding="utf-8")
    assert cli.main(["init", "data", str(models / "teacher")]) == 2
    assert "distill.jsonc: exists; nothing was written." in capsys.readouterr().err
    assert (elsewhere / "distill.jsonc").read_text("utf-8") == "mine"
    assert cli.main(["init", "data", str(models / "teacher"), "--output", "other.jsonc"]) == 0


def test_the_page_s_csv_and_a_body_make_a_teacher_first(elsewhere, models, capsys):
    header = fences("docs/configuration.md", "csv")[0].splitlines()[0]
    for split, count in (("train", 40), ("dev", 20)):
        write_rows(elsewhere / "reviews", f"{split}.csv", [header, *reviews(count)])
    (elsewhere / "my_model").symlink_to(models / "body")
    for command in fences("docs/configuration.md", "sh")[0].splitlines():
        assert cli.main(command.split()[1:]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "text 'review', label 'stars' (2 classes)" in said
    assert "chatstill init reviews/train.csv output_reviews_teacher/teacher" in said
    values = values_of("teach.jsonc")
    assert values["data"]["text"] == "review" and "model_type" not in values


def test_tabs_without_a_header_numbers_with_names_beside_and_gb18030(elsewhere, models):
    rows = [f"你好 {n} 再见\t{n % 2}" for n in range(30)]
    for split in ("train", "dev"):
        write_rows(elsewhere / "rows", f"{split}.txt", rows, "gb18030")
    write_rows(elsewhere / "rows", "class.txt", ["bad", "good"])
    assert cli.main(["init", "rows", str(models / "teacher")]) == 0
    data = values_of("distill.jsonc")["data"]
    assert data["columns"] == ["text", "label"] and data["encoding"] == "gb18030"
    assert data["labels"] == "rows/class.txt"


def test_a_name_that_stands_twice_among_usual_ones_is_a_name(elsewhere, models):
    for split in ("train", "dev"):
        rows = [f"r{n},a,{row},b" for n, row in enumerate(reviews(40))]
        write_rows(elsewhere / "rows", f"{split}.csv", ["id,note,text,label,note", *rows])
    assert cli.main(["init", "rows", str(models / "teacher")]) == 0
    data = values_of("distill.jsonc")["data"]
    assert (data["text"], data["label"], data["id"]) == ("text", "label", "id")
    assert "columns" not in data and cli.main(["check", "distill.jsonc"]) == 0


def test_a_delimiter_is_told_where_the_first_row_is_a_quoted_text_of_two_lines(elsewhere, models):
    for split in ("train", "dev"):
        rows = [f'"你好, {n},\n再见, ""好""";{n % 2}' for n in range(30)]
        write_rows(elsewhere / "rows", f"{split}.csv", rows, "gb18030")
    assert cli.main(["init", "rows", str(models / "teacher")]) == 0
    data = values_of("distill.jsonc")["data"]
    assert (data["delimiter"], data["encoding"]) == (";", "gb18030")
    assert data["columns"] == ["text", "label"]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_class_names_in_an_encoding_of_their_own(elsewhere, models, encoding):
    """A file of UTF-8 would be read as the rows are: its names are written instead."""
    for split in ("train", "dev"):
        rows = [f"你好 {n} 再见\t{n % 2}" for n in range(30)]
        write_rows(elsewhere / "rows", f"{split}.txt", rows, "gb18030")
    write_rows(elsewhere / "rows", "class.txt", ["坏", "好"], encoding)
    assert cli.main(["init", "rows", str(models / "teacher")]) == 0
    labels = values_of("distill.jsonc")["data"]["labels"]
    assert labels == (["坏", "好"] if encoding == "utf-8" else "rows/class.txt")


def test_pairs_in_json_lines_with_a_score(elsewhere, models):
    generator = np.random.default_rng(reseeded(0))
    for name in ("train", "validation"):
        lines = [
            json.dumps(
                {
                    "premise": world.sentence(generator),
                    "hypothesis": world.sentence(generator) + f" {n}",
                    "score": n / 7,
                }
            )
            for n in range(40)
        ]
        write_rows(elsewhere / "pairs", f"{name}.jsonl", lines)
    assert cli.main(["init", "pairs", str(models / "body")]) == 0
    data = values_of("teach.jsonc")["data"]
    assert data["dev"] == "pairs/validation.jsonl" and data["kind"] == "regression"
    assert (data["text"], data["text_pair"], data["label"]) == ("premise", "hypothesis", "score")


def test_lists_of_turns_and_of_labels_in_json_lines(elsewhere, models):
    generator = np.random.default_rng(reseeded(0))
    kinds = [["news"], ["news", "sports"], ["sports"], ["news", "money"], ["money"]]
    for name in ("train", "dev"):
        lines = []
        for n in range(40):
            talk = [world.sentence(generator), f"{world.sentence(generator)} {n}"]
            row = {"talk": talk, "reply": world.sentence(generator), "label": kinds[n % 5]}
            lines.append(json.dumps(row))
        write_rows(elsewhere / "talks", f"{name}.jsonl", lines)
    assert cli.main(["init", "talks", str(models / "body")]) == 0
    data = values_of("teach.jsonc")["data"]
    assert (data["text"], data["text_pair"], data["label"]) == ("talk", "reply", "label")
    assert data["kind"] == "multi_label"


@pytest.mark.parametrize("names", [("bad", "good"), ("apple", "pear")])
def test_the_class_that_counted_for_the_teacher_counts_for_its_student(elsewhere, models, names):
    """Else the student learns, and is chosen, for the opposite class: its name sounds more like it."""
    shutil.copytree(models / "teacher", elsewhere / "taught")
    config = json.loads((elsewhere / "taught/config.json").read_text())
    config |= {
        "id2label": {"0": names[1], "1": names[0]},
        "chatstill": {"positive_label": names[0]},
    }
    config["label2id"] = {names[1]: 0, names[0]: 1}
    (elsewhere / "taught/config.json").write_text(json.dumps(config))
    for split in ("train", "dev"):
        rows = [
            row.replace(",bad", f",{names[0]}").replace(",good", f",{names[1]}")
            for row in reviews(40)
        ]
        write_rows(elsewhere / "rows", f"{split}.csv", ["text,label", *rows])
    assert cli.main(["init", "rows", "taught"]) == 0
    assert values_of("distill.jsonc")["positive_label"] == names[0]


def test_the_groups_that_a_teacher_ranked_in_are_its_students(elsewhere, models):
    """Else a student of a ranker is judged, and chosen, by another figure, unsaid."""
    shutil.copytree(models / "teacher", elsewhere / "run" / "teacher")
    for split in ("train", "dev"):
        rows = [f"s{n // 4},{row}" for n, row in enumerate(reviews(40))]
        write_rows(elsewhere / "rows", f"{split}.csv", ["theme,text,label", *rows])
    resolved = elsewhere / "run" / "config.resolved.json"
    for column, expected in (("theme", "theme"), ("gone", None)):
        resolved.write_text(json.dumps({"data.group": {"value": column, "origin": ""}}))
        assert cli.main(["init", "rows", "run/teacher", "--output", f"{column}.jsonc"]) == 0
        assert values_of(f"{column}.jsonc")["data"].get("group") == expected
    assert cli.main(["check", "theme.jsonc", "--set", "allow_weak_teacher=true"]) == 0


def test_a_class_of_another_task_is_not_written(elsewhere, models):
    """A teacher of as many outputs, for other classes: the key would name none of these."""
    shutil.copytree(models / "teacher", elsewhere / "taught")
    config = json.loads((elsewhere / "taught/config.json").read_text())
    (elsewhere / "taught/config.json").write_text(
        json.dumps(config | {"chatstill": {"positive_label": "spam"}})
    )
    for split in ("train", "dev"):
        write_rows(elsewhere / "rows", f"{split}.csv", ["text,label", *reviews(40)])
    assert cli.main(["init", "rows", "taught"]) == 0
    assert values_of("distill.jsonc")["positive_label"] == "good"


def test_identifiers_are_known_by_name_and_value(elsewhere, models):
    for split in ("train", "dev"):
        rows = [f"r{n},u{n % 7},{row}" for n, row in enumerate(reviews(40))]
        write_rows(elsewhere / "rows", f"{split}.csv", ["review_id,user_id,text,label", *rows])
    assert cli.main(["init", "rows", str(models / "teacher")]) == 0
    assert values_of("distill.jsonc")["data"]["id"] == "review_id"
    for split in ("train", "dev"):
        rows = [f"r{n % 20},u{n % 7},{row}" for n, row in enumerate(reviews(40))]
        write_rows(elsewhere / "rows", f"{split}.csv", ["review_id,user_id,text,label", *rows])
    assert cli.main(["init", "rows", str(models / "teacher"), "--output", "other.jsonc"]) == 0
    assert "id" not in values_of("other.jsonc")["data"], "it comes back"


def talks(count, **more):
    asked = [{"role": "user", "content": "go home"}, {"role": "assistant", "content": "a cat"}]
    for number in range(count):
        row = {"dialog_id": f"d{number}", "messages": [*asked, {"role": "user", "content": "why"}]}
        yield row | {key: make(number) for key, make in more.items()}


DIALOGUES = {
    "labels": (
        {
            "candidates": lambda n: [
                {"content": "sure", "label": 1},
                {"content": f"never {n}", "label": 0},
            ]
        },
        {"text": "messages", "candidates": "candidates", "label": "label", "id": "dialog_id"},
    ),
    "grades": (
        {"responses": lambda n: [{"value": f"sure {n}", "score": g} for g in range(3)]},
        {"candidates": "responses", "label": "score", "kind": "relevance", "labels": [0, 1, 2]},
    ),
    "a list of labels": (
        {"options": lambda n: ["sure", f"no {n}"], "labels": lambda n: [1, 0]},
        {"candidates": "options", "label": "labels"},
    ),
    "one chosen": (
        {"candidates": lambda n: ["sure", f"no {n}"], "answer": lambda n: 0},
        {"candidates": "candidates", "chosen": "answer", "id": "dialog_id"},
    ),
    "preferences": (
        {"chosen": lambda n: f"sure {n}", "rejected": lambda n: [f"no {n}"]},
        {"chosen": "chosen", "rejected": "rejected"},
    ),
    "a topic": (
        {"topic": lambda n: ("cats", "homes")[n % 2]},
        {"text": "messages", "label": "topic", "id": "dialog_id"},
    ),
}


@pytest.mark.parametrize("kind", DIALOGUES)
def test_dialogues_are_known_by_what_their_lines_hold(elsewhere, models, kind):
    more, expected = DIALOGUES[kind]
    for split in ("train", "dev"):
        rows = [json.dumps(row) for row in talks(30, **more)]
        write_rows(elsewhere / "talks", f"{split}.jsonl", rows)
    model = "teacher" if kind in ("labels", "a list of labels", "one chosen") else "body"
    assert cli.main(["init", "talks", str(models / model), "--output", "my.jsonc"]) == 0
    data = values_of("my.jsonc")["data"]
    assert {key: data.get(key) for key in expected} == expected
    assert not {"group", "text_pair"} & data.keys()
    assert cli.main(["check", "my.jsonc"]) == 0


def test_a_dialogue_without_candidates_among_others_is_told_with_its_line(
    elsewhere, models, capsys
):
    more, _ = DIALOGUES["labels"]
    for split in ("train", "dev"):
        rows = [json.dumps(row) for row in talks(30, **more)]
        rows[1] = json.dumps({**json.loads(rows[1]), "candidates": None})
        write_rows(elsewhere / "talks", f"{split}.jsonl", rows)
    assert cli.main(["init", "talks", str(models / "teacher"), "--output", "my.jsonc"]) == 2
    error = capsys.readouterr().err
    assert "train.jsonl: line 2" in error and "Traceback" not in error


def test_candidates_of_which_none_is_right_are_told(elsewhere, models, capsys):
    for split in ("train", "dev"):
        rows = [json.dumps(row) for row in talks(5, candidates=lambda n: ["sure", "no"])]
        write_rows(elsewhere / "talks", f"{split}.jsonl", rows)
    assert cli.main(["init", "talks", str(models / "body")]) == 2
    assert "nothing tells which of 'candidates' is right" in capsys.readouterr().err


@pytest.mark.parametrize("comma", [",", "，"])
def test_semicolons_and_several_labels_a_row(elsewhere, models, comma):
    kinds = ["news", f"news{comma}sports", "sports", f"news{comma}money", "money"]
    rows = [f"title {n} of many;{kinds[n % 5]}" for n in range(40)]
    for split in ("train", "dev"):
        write_rows(elsewhere / "rows", f"{split}.csv", ["title;kinds", *rows])
    assert cli.main(["init", "rows", str(models / "body")]) == 0
    data = values_of("teach.jsonc")["data"]
    assert (data["delimiter"], data["kind"], data["label"]) == (";", "multi_label", "kinds")


def test_a_teacher_of_another_number_of_labels_is_no_teacher_of_this_task(
    elsewhere, models, capsys
):
    rows = [f"{world.WORDS[n % 13]} number {n}\t{'abc'[n % 3]}" for n in range(40)]
    for split in ("train", "dev"):
        write_rows(elsewhere / "rows", f"{split}.tsv", ["text\tclass", *rows])
    assert cli.main(["init", "rows", str(models / "teacher")]) == 0
    assert "the data need 3 outputs: it is a teacher of another task" in capsys.readouterr().out
    assert (elsewhere / "teach.jsonc").is_file()


def test_all_that_is_missing_is_said_at_once(elsewhere, capsys):
    write_rows(elsewhere / "rows", "train.csv", ["review,stars", *reviews(30)])
    assert cli.main(["init", "rows/train.csv", "./nowhere"]) == 2
    error = capsys.readouterr().err
    assert "there are no dev rows beside it: looked for dev.csv" in error
    assert "./nowhere: there is no such folder." in error
    assert list(elsewhere.iterdir()) == [elsewhere / "rows"]


def test_a_mistyped_folder_of_a_model_is_not_taken_for_a_name_of_the_hub(elsewhere, models, capsys):
    world.write_chat(elsewhere / "data")
    (elsewhere / "models" / "teacher").mkdir(parents=True)
    for name in ("models/techer", "model/teacher"):
        assert cli.main(["init", "data", name]) == 2
        error = " ".join(capsys.readouterr().err.split())
        assert f"{name}: there is no such folder. Did you mean models/teacher?" in error


def test_a_file_that_is_no_table_is_told_what_tables_are(elsewhere, models, capsys):
    write_rows(elsewhere, "all.csv", ["one", "a,b", "c,d,e"])
    assert cli.main(["init", "all.csv", str(models / "body")]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "all.csv: no row of it can be read as one of a table. Tables are files" in error


def test_a_folder_with_several_tasks_is_not_guessed_about(elsewhere, models, capsys):
    world.write_sst2(elsewhere / "data")
    world.write_stsb(elsewhere / "data")
    assert cli.main(["init", "data", str(models / "teacher")]) == 2
    assert "the files of several tasks: sst2, stsb" in capsys.readouterr().err
    assert cli.main(["init", "data/SST-2", str(models / "teacher")]) == 0
    assert values_of("distill.jsonc")["task_name"] == "sst2"


REAL = {
    "wikiqa": {"task_name": "chat"},
    "kdconv/chat": {"task_name": "chat"},
    "glue/RTE": {"task_name": "rte"},
    "thucnews_titles": {"text": "text", "label": "label", "text_pair": None},
    "lcqmc": {"text": "text_a", "text_pair": "text_b", "label": "label"},
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="real data are not here")
@pytest.mark.parametrize("name", REAL)
def test_real_files(name, models):
    assert cli.main(["init", str(SHARED / name), str(models / "body"), "--output", "x.jsonc"]) == 0
    values = values_of("x.jsonc")
    found = {**values, **values.get("data", {})}
    assert {key: found.get(key) for key in REAL[name]} == REAL[name]

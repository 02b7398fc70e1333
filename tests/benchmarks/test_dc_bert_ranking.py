"""The benchmark of DC-BERT's ranking: its parts, the order of its cells, rates by dev, its table."""

import json
import random

import numpy as np
import pytest

import dc_bert_cells as cells
import dc_bert_data as data
import dc_bert_figures as figures
import dc_bert_ranking as bench
import dc_bert_table as table
import tested_cells
from chatstill.tasks.predictions import write_predictions

RATES, RATES_ON = data.SETS["wikiqa"].rates, data.SETS["wikiqa"].rates_on


@pytest.fixture
def source(tmp_path):
    """Made-up sets in the layout of the real ones."""
    for name, parts in (("wikiqa", (240, 9)), ("kdconv", (30, 720))):
        folder = tmp_path / "source" / name / "chat"
        folder.mkdir(parents=True)
        for part, count in zip(("train", "dev"), parts, strict=True):
            rows = [
                f"{part} question {number}\treply {number} {place}\t{int(place == 0)}\n"
                for number in range(count)
                for place in range(3)
            ]
            if part == "train":
                rows.append("dev question 3\treply 3 0\t1\n")  # stands in both
            (folder / f"{part}.data.txt").write_text("".join(rows), encoding="utf-8")
    folder = tmp_path / "source" / "lcqmc"
    folder.mkdir()
    for part, count in (("train", 30), ("dev", 1500)):
        rows = [f"{part} one {n}\ttwo {n}\t{n % 2}\n" for n in range(count)]
        (folder / f"{part}.txt").write_text("".join(rows), encoding="utf-8")
    return tmp_path / "source"


def options(tmp_path, *words):
    places = ["--work", str(tmp_path / "work"), "--data", str(tmp_path / "source")]
    return bench.parse([*places, "--out", str(tmp_path / "out"), *words])


def lines(folder, part):
    text = (folder / f"{part}.data.txt").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()]


@pytest.mark.parametrize("name", data.SETS)
def test_parts_share_no_pair_and_keep_questions_whole(name, source, tmp_path):
    counts = data.build(name, source, tmp_path / name)
    parts = {part: lines(tmp_path / name, part) for part in data.PARTS}
    pairs = {part: {(row[0], row[1]) for row in rows} for part, rows in parts.items()}
    assert not pairs["train"] & (pairs["dev"] | pairs["test"]) and not pairs["dev"] & pairs["test"]
    for part, rows in parts.items():
        assert counts[part] == {"questions": len({row[3] for row in rows}), "rows": len(rows)}
        assert len({(row[0], row[3]) for row in rows}) == counts[part]["questions"]
    assert data.build(name, source, tmp_path / name) == counts, "once"


def test_wikiqas_dev_file_is_test_and_the_training_file_gives_the_rest(source, tmp_path):
    counts = data.build("wikiqa", source, tmp_path / "wikiqa")
    assert counts["dev"]["questions"] == data.WIKIQA_DEV
    assert counts["test"]["questions"] == 9 + data.WIKIQA_MORE_TEST
    assert [row[0] for row in lines(tmp_path / "wikiqa", "test")][:1] == ["dev question 0"]


def test_kdconvs_training_questions_get_wrong_replies_from_nearby(source, tmp_path):
    data.build("kdconv", source, tmp_path / "kdconv")
    rows = lines(tmp_path / "kdconv", "train")
    right = {row[1] for row in rows if row[2] == "1"}
    for number in range(29):  # the last question ends with a pair of dev
        group = [row for row in rows if row[3] == f"train{number}"]
        drawn = [row[1] for row in group[3:]]
        assert len(group) == 3 + data.DRAWN and {row[2] for row in group[3:]} == {"0"}
        assert len({row[1] for row in group}) == len(group), "none twice, and not the right one"
        assert set(drawn) <= right, "they are replies to other questions"


def test_lcqmc_is_ranked_among_ten_with_every_paraphrase_as_relevant(source, tmp_path):
    data.build("lcqmc", source, tmp_path / "lcqmc")
    rows = lines(tmp_path / "lcqmc", "test")
    groups = {row[3]: [other for other in rows if other[3] == row[3]] for row in rows}
    assert {len(group) for group in groups.values()} == {data.CANDIDATES}
    for group in groups.values():
        (right,) = [row for row in group if row[2] == "1"]
        assert right[0].split()[-1] == right[1].split()[-1] and right[0] not in [
            r[1] for r in group
        ]
        assert len({row[1] for row in group}) == len(group)


def finish(cell, dev, test):
    """A finished cell: average precisions of its questions."""
    cell.file.parent.mkdir(parents=True, exist_ok=True)
    parts = {
        part: {name: np.asarray(value, float).tolist() for name in figures.METRICS}
        for part, value in (("dev", dev), ("test", test))
    }
    facts = (
        {"words": "some words"} if cell.arm == cells.TFIDF else {"rate": cell.rate, "seconds": 60.0}
    )
    cell.file.write_text(json.dumps({"name": cell.name, **facts, **parts}))


def run_all(chosen, dev_of, test_of):
    """Runs cells as the benchmark does, by writing what they would leave."""
    ran = []
    for cell in cells.plan(chosen):
        if not cells.is_done(cell):
            finish(cell, dev_of(cell), test_of(cell))
            ran.append(cell)
    return ran


def test_cells_run_in_order_and_once_and_rates_are_chosen_on_dev(source, tmp_path):
    chosen = options(tmp_path, "--sets", "wikiqa", "--seeds", "1", "2")
    best = {cells.TEACHER: RATES[1], "k1": RATES_ON[1], "linear": RATES_ON[0], "lstm": RATES_ON[1]}

    def dev(cell):
        return [0.9 if cell.rate == best.get(cell.arm) else 0.5] * 2

    ran = run_all(chosen, dev, lambda cell: [0.5, 0.5])
    first = [cell for cell in ran if cell.seed == 1]
    assert not {cell.arm for cell in ran if cell.seed == 2} & {"one way", "width"}, "one seed each"
    assert list(dict.fromkeys(cell.arm for cell in first)) == list(cells.ARMS)
    assert [cell.rate for cell in first if cell.arm == cells.TEACHER] == list(RATES)
    rates = {
        (cell.arm, cell.seed): cell.rate for cell in ran if cell.arm not in (cells.ON, cells.TFIDF)
    }
    for arm, of in (("k2", "k1"), ("k2 soft", "k1"), ("linear soft", "linear"), ("lstm", "lstm")):
        assert rates[arm, 2] == best[of]
    for cell in ran:
        if cell.arm not in (cells.TFIDF, cells.TEACHER):
            named = cell.config["teacher_architectures"]["model_name_or_path"]
            assert named == str(cell.teacher.folder / "teacher")
            assert (cell.teacher.seed, cell.teacher.rate) == (cell.seed, best[cells.TEACHER])
    assert run_all(chosen, dev, lambda cell: [0.5, 0.5]) == [], "nothing runs twice"


def test_arms_differ_in_their_block_alone_and_all_but_the_teacher_train_as_long(source, tmp_path):
    chosen = options(tmp_path, "--sets", "wikiqa", "--seeds", "1")
    ran = run_all(chosen, lambda cell: [0.5], lambda cell: [0.5])
    of = {cell.arm: cell.config for cell in ran if cell.rate == RATES[0]}
    differing = {key for key in of["k1"] if of["k1"][key] != of["k1 soft"][key]}
    assert differing == {"dc_bert_model_config", "output_dir"}
    assert of["k1 soft"]["dc_bert_model_config"].pop("weight_soft") == 1.0
    assert of["k1 soft"]["dc_bert_model_config"] == of["k1"]["dc_bert_model_config"]
    assert of["k2"]["dc_bert_model_config"]["num_interaction_layers"] == 2
    shared = {
        "num_train_epochs",
        "per_gpu_train_batch_size",
        "eval_steps",
        "keep",
        "selection_metric",
    }
    for arm in (cells.ON, "linear", "k2 soft"):
        assert {key: of[arm][key] for key in shared} == {key: of["k1"][key] for key in shared}
    assert "model_type" not in of[cells.ON] and of[cells.ON]["data_dir"] == of["k1"]["data_dir"]


def test_only_some_arms(source, tmp_path):
    chosen = options(tmp_path, "--sets", "wikiqa", "--seeds", "1", "--only", "k1 soft")
    ran = run_all(chosen, lambda cell: [0.5], lambda cell: [0.5])
    assert {cell.arm for cell in ran} == {cells.TFIDF, cells.TEACHER, "k1", "k1 soft"}


@pytest.mark.parametrize(("above", "takes"), [(0.2, "kdconv"), (0.0, "lcqmc")])
def test_kdconv_stays_where_its_teacher_is_clearly_above_tf_idf(above, takes, source, tmp_path):
    chosen = options(tmp_path, "--sets", "kdconv", "--seeds", "1")
    noise = np.random.default_rng(0).normal(0, 0.05, 50)

    def dev(cell):
        return 0.4 + (above + noise if cell.arm == cells.TEACHER else 0 * noise)

    assert cells.decision(chosen) is None
    ran = run_all(chosen, dev, lambda cell: [0.5])
    others = {cell.task for cell in ran if cell.arm not in (cells.TFIDF, cells.TEACHER)}
    assert others == {takes}
    assert cells.decision(chosen)["replaced"] == (takes == "lcqmc")
    text = table.as_markdown({**table.summarise(chosen), "machine": {"device": "some"}})
    assert ("LCQMC takes KdConv's place" in text) == (takes == "lcqmc")
    assert "PARTIAL" not in text


def test_differences_are_paired_by_question_over_the_mean_of_the_seeds(source, tmp_path):
    chosen = options(tmp_path, "--sets", "wikiqa", "--seeds", "1", "2")
    draw = np.random.default_rng(1)
    base = draw.uniform(0.3, 0.9, 40)

    def test_of(cell):
        seed = 0.0 if cell.arm == cells.TFIDF else 0.02 * cell.seed
        return base + seed - (0.1 if cell.arm == "linear" else 0.0)

    run_all(chosen, lambda cell: [0.5], test_of)
    results = {**table.summarise(chosen), "machine": {"device": "some"}}
    arms = results["sets"]["wikiqa"]["arms"]
    assert arms["linear"]["over"]["difference"] == pytest.approx(-0.1)
    assert arms["linear"]["over"]["interval"] == pytest.approx((-0.1, -0.1)), "question by question"
    assert arms["linear"]["over"]["share"] == pytest.approx(1 - 0.1 / (base.mean() + 0.03))
    assert arms["k2"]["over on"]["difference"] == pytest.approx(0.0)
    assert arms[cells.TFIDF]["over"]["difference"] == pytest.approx(-0.03)
    assert "over" not in arms[cells.TEACHER] and "over on" not in arms[cells.ON]
    text = table.as_markdown(results)
    assert "PARTIAL" not in text and "| TF-IDF (some words) | – | – |" in text
    assert f"| DC-BERT, linear | {RATES[0]:g} | 2 | " in text and "-10.0 [-10.0, -10.0]" in text


def test_a_table_with_cells_to_run_says_so(source, tmp_path):
    chosen = options(tmp_path, "--sets", "wikiqa")
    assert "**PARTIAL: still to run: wikiqa tf-idf" in table.as_markdown(
        {**table.summarise(chosen), "machine": {"device": "some"}}
    )
    first = next(iter(cells.plan(chosen)))
    finish(first, [0.5], [0.5])
    assert "PARTIAL" in bench.write(chosen)


def test_a_tf_idf_cell_ranks_the_file(source, tmp_path):
    chosen = options(tmp_path, "--sets", "wikiqa")
    data.build("wikiqa", source, chosen.work / "data" / "wikiqa")
    cell = next(iter(cells.plan(chosen)))
    assert cells.run_cell(cell, None) == 0
    found = cells.read(cell)
    assert len(found["test"]["map"]) == 9 + data.WIKIQA_MORE_TEST
    assert found["words"] == "words by Unicode boundaries"


def test_an_interval_covers_the_mean_and_narrows_with_questions():
    draw = random.Random(0)
    few = np.array([draw.gauss(0.1, 0.3) for _ in range(50)])
    mean, (low, high) = figures.paired(few, np.zeros(50))
    assert low < mean < high and mean == few.mean()
    _, (lower, higher) = figures.paired(np.tile(few, 16), np.zeros(800))
    assert higher - lower == pytest.approx((high - low) / 4, rel=0.2)


def test_a_finished_run_leaves_its_figures_and_its_network_and_no_checkpoints(
    source, tmp_path, monkeypatch
):
    chosen = options(tmp_path, "--sets", "wikiqa")
    cell = next(cell for cell in cells.plan(chosen) if cell.arm == cells.TEACHER)
    labels, groups = np.array([1, 0, 0, 1]), ["a", "a", "b", "b"]

    def ran(cell, threads):
        for part, margin in ((cell.folder, [1, 0, 0, 1]), (cell.test, [0, 1, 0, 1])):
            part.mkdir(parents=True)
            scores = np.array([[0, one] for one in margin], float)
            write_predictions(part / "predictions.tsv", scores, labels, groups, ("0", "1"))
            told = {"kept": {"text": "best on dev"}, "model": {"parameters": 7}}
            (part / "metrics.json").write_text(json.dumps(told))
        for name in ("checkpoints", "teacher"):
            (cell.folder / name).mkdir()
        return 0

    monkeypatch.setattr(tested_cells, "run_cell", ran)
    assert cells.run_cell(cell, 1) == 0 and cells.is_done(cell)
    found = cells.read(cell)
    assert found["dev"]["map"] == [1.0, 1.0] and found["test"]["map"] == [0.5, 1.0]
    assert (found["rate"], found["parameters"], cells.dev_map(cell)) == (RATES[0], 7, 1.0)
    assert (cell.folder / "teacher").is_dir() and not (cell.folder / "checkpoints").exists()

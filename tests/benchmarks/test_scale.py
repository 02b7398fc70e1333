"""The rows of the scale benchmark, and what its watcher sees of a run."""

import json
import sys

import pytest

import scale
import scale_corpus
import scale_data
import scale_runs
from chatstill.tasks import get_task


def test_rows_are_chat_rows_and_the_same_every_time(tmp_path, monkeypatch):
    monkeypatch.setattr(scale_data, "PER_BLOCK", 40)
    for name in ("one", "two"):
        scale_data.write_rows(tmp_path / name, 100, seed=3)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    rows = list(get_task("chat").read(tmp_path / "one", "train"))
    assert len(rows) == 100
    assert [row.label for row in rows[:5]] == [1, 0, 0, 0, 1]
    assert len({row.group for row in rows}) == 25
    texts = [text for row in rows for text in (row.text_a, row.text_b)]
    assert all(6 <= len(text) <= 24 and set(text) <= set(scale_data.CHARACTERS) for text in texts)


def test_last_step_of_a_history(tmp_path):
    path = tmp_path / "history.jsonl"
    assert scale_runs.last_step(path) == 0
    path.write_text('{"step": 1}\n{"step": 7}\n', encoding="utf-8")
    assert scale_runs.last_step(path) == 7
    path.write_text('{"step": 1}\n{"st', encoding="utf-8")
    assert scale_runs.last_step(path) == 0


def fake_run(tmp_path, monkeypatch, code: str):
    """A process that stands in for chatstill."""
    plain = scale_runs.subprocess.Popen
    monkeypatch.setattr(
        scale_runs.subprocess,
        "Popen",
        lambda words, **more: plain([sys.executable, "-c", code], **more),
    )
    return scale_runs.Watched(1, tmp_path / "run.json")


def test_watcher_waits_for_a_step_and_sees_the_memory(tmp_path, monkeypatch):
    history = tmp_path / "history.jsonl"
    code = (
        "import json, time; held = bytearray(80_000_000)\n"
        f"open({str(history)!r}, 'w').write(json.dumps({{'step': 2}}))\n"
        "time.sleep(60)"
    )
    with fake_run(tmp_path, monkeypatch, code) as watched:
        assert watched.wait_for(history, 2) > 0
    assert watched._process.returncode == -15
    assert len(watched.peaks()) == 1 and watched.peaks()[0] > 80_000_000


def test_a_run_that_ends_early_is_said(tmp_path, monkeypatch):
    with (
        fake_run(tmp_path, monkeypatch, "pass") as watched,
        pytest.raises(SystemExit, match="ended before step 1"),
    ):
        watched.wait_for(tmp_path / "history.jsonl", 1)


def test_report_names_every_figure():
    run = {"processes": 2, "first_step": 30.2, "peaks": [2**20, 2**21], "stopped_after": 5}
    run |= {"steps_per_epoch": 9, "resume": 8.25, "peaks_again": [2**20]}
    prepared = {"seconds": 10.0, "rows_per_second": 1000.0, "cores_used": 1.5, "bytes": 3e6}
    results = {"rows": 10_000, "file_bytes": 1e6, "batch": 64, "prepare": prepared, "runs": [run]}
    text = scale.as_markdown(json.loads(json.dumps(results)), {"cores": "2"})
    assert "1,000 rows a second, 10 s, 1.50 cores used of 2; 3 MB" in text
    assert "| 2 | 30 | 1, 2 | 5 | 9 | 8.2 | 1 |" in text


def test_a_corpus_has_its_size_and_documents(tmp_path, monkeypatch):
    from chatstill.tasks.corpus_survey import survey_corpus

    monkeypatch.setattr(scale_corpus, "PER_BLOCK", 50)
    for name in ("one", "two"):
        size = scale_corpus.write(tmp_path / name, 30_000, seed=3)
        assert 30_000 <= size == (tmp_path / name).stat().st_size < 60_000
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found = survey_corpus(tmp_path / "one", tmp_path / "two")
    assert found.lines["train"] % 50 == 0 and found.documents["train"] > 2


def test_the_watcher_sees_what_a_process_holds_itself(tmp_path, monkeypatch):
    history, mapped = tmp_path / "history.jsonl", tmp_path / "mapped"
    mapped.write_bytes(bytes(120_000_000))
    code = (
        f"import json, mmap, time; held = bytearray(60_000_000); file = open({str(mapped)!r}, 'rb')\n"
        "pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ); pages.find(b'x')\n"
        f"open({str(history)!r}, 'w').write(json.dumps({{'step': 2}}))\n"
        "time.sleep(60)"
    )
    with fake_run(tmp_path, monkeypatch, code) as watched:
        watched.wait_for(history, 2)
    assert 60_000_000 < watched.own_peaks()[0] < 120_000_000 < watched.peaks()[0]


def test_the_report_of_a_corpus_names_every_figure():
    one = {"bytes": 2e9, "blocks": 4_000_000, "prepared_bytes": 1e9, "first_step": 30.2}
    one |= {"own_peak": 2**30, "peak": 2**31, "stopped_after": 40, "resume": 8.25}
    text = scale_corpus.as_markdown([{**one, "own_peak_again": 2**29}], {"cores": "2"})
    assert "| 2,000 | 4,000,000 | 1,000 | 30 | 1,024 | 2,048 | 8.2 | 512 |" in text

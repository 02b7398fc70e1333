"""Fine-tuning that learns nothing is told in figures, report and card, with the rate as a likely cause."""

import json

import numpy as np
import pytest

from chatstill.run import run as pipeline

from . import by_hand, world


@pytest.mark.parametrize("told", [True, False])
def test_a_teacher_that_learns_nothing_is_warned_of(tmp_path, told):
    draw = np.random.default_rng(0)
    lines = [f"{world.sentence(draw, good=n % 2, bad=1 - n % 2)}\t{n % 2}" for n in range(64)]
    for part in ("train", "dev"):
        text = "\n".join(["text\tlabel", *lines])
        (tmp_path / f"{part}.tsv").write_text(f"{text}\n", encoding="utf-8")
    start = world.build_network(tmp_path / "start", layers=2)
    if not told:
        by_hand.make_right(start)
    values = {
        "data": {
            "text": "text",
            "label": "label",
            **{part: str(tmp_path / f"{part}.tsv") for part in ("train", "dev")},
        },
        "output_dir": str(tmp_path / "out"),
        "teacher_architectures": {"model_name_or_path": str(start)},
        "max_seq_length": 16,
        "per_gpu_train_batch_size": 8,
        "max_steps": 24,
        "learning_rate": 1e-9,
        "logging_steps": 3,
    }
    pipeline.teach(world.loaded(values, tmp_path, "teach"), console=world.console())
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    found = [text for text in metrics["dev"]["warnings"] if text.startswith("it learnt nothing")]
    assert len(found) == told
    card = (tmp_path / "out" / "teacher" / "README.md").read_text(encoding="utf-8")
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert [text.lower().count("it learnt nothing") for text in (card, report)] == [told, told]

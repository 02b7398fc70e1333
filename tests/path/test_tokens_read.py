"""What a network of one's own has read stands in its folder, and the plan of its fine-tuning says so."""

import json
import shutil

from chatstill.models.own import READ
from chatstill.run import run as pipeline

from . import world


def block_of(folder):
    """The block ``chatstill`` of a run's network, and the tokens of its corpus and its blocks."""
    config = json.loads((folder / "student" / "config.json").read_text(encoding="utf-8"))
    training = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["training"]
    return config.get("chatstill", {}), training["tokens"] / training["rows"]


def test_tokens_add_up_from_random_weights_on_and_are_told_where_it_is_fine_tuned(tmp_path):
    (tmp_path / "corpus").mkdir()
    for part, words in (("train", world.GOOD), ("dev", world.BAD)):
        text = "\n\n".join(" ".join([word] * 40) for word in words)
        (tmp_path / "corpus" / f"{part}.txt").write_text(f"{text}\n", encoding="utf-8")
    shape = world.build_network(tmp_path / "shape", layers=2)
    (shape / "model.safetensors").unlink()
    whole = world.build_network(tmp_path / "whole", layers=2)

    def trained(name, **block):
        values = {
            "model_type": "MaskedLM",
            "task_name": "corpus",
            "data_dir": str(tmp_path),
            "output_dir": str(tmp_path / name),
            "pretrained_architectures": block,
            "max_seq_length": 16,
            "per_gpu_train_batch_size": 2,
            "gradient_accumulation_steps": 2,
            "max_steps": 3,
            "learning_rate": 0.003,
        }
        pipeline.distill(world.loaded(values, tmp_path), console=world.console())
        return tmp_path / name

    at_random = {
        "config_file": str(shape / "config.json"),
        "tokenizer_name_or_path": str(shape),
    }
    first = trained("first", **at_random)
    block, tokens = block_of(first)
    assert block[READ] == round(3 * 4 * tokens)
    on = trained("on", model_name_or_path=str(first / "student"))
    assert block_of(on)[0][READ] == 2 * block[READ]
    published = trained("published", model_name_or_path=str(whole))
    assert READ not in block_of(published)[0]

    world.write_sst2(tmp_path)
    for folder, told in ((on, True), (published, False)):
        values = world.values_for(tmp_path, tmp_path / "teacher", folder / "student")
        for key in ("theseus_scheduler", "model_type", "learning_rate"):
            values.pop(key, None)
        values |= {"task_name": "sst-2", "max_steps": 1}
        where = world.console()
        pipeline.teach(world.loaded(values, tmp_path, "teach"), console=where)
        said = " ".join(world.said(where).split())
        assert (f"it has read {2 * block[READ]:,} tokens alone" in said) is told
        shutil.rmtree(tmp_path / "teacher")

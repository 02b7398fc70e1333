"""The files that a configuration names: missing, damaged or of a kind that can't be loaded."""

import io
import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.found import holds

from .conftest import safetensors


def zipped_pickle(path: Path, value: object) -> None:
    """A file as torch.save writes it: a zip that holds ``archive/data.pkl``."""
    buffer = io.BytesIO()
    pickle.dump(value, buffer, protocol=2)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())


class Network:
    """Stands for a model class: pickling an instance names it."""


def test_a_bin_file_with_plain_values_is_taken(world):
    teacher = world.folder / "teacher"
    (teacher / "model.safetensors").unlink()
    zipped_pickle(teacher / "pytorch_model.bin", {"w": [0.0]})
    assert world.load().warnings == []
    world.values["teacher_architectures"]["model_name_or_path"] = "teacher/pytorch_model.bin"
    assert world.load().warnings == []


def broken(world, kind: str) -> str:
    """Spoils the teacher and gives the path to name."""
    teacher = world.folder / "teacher"
    weights = teacher / "model.safetensors"
    data = weights.read_bytes()
    weights.unlink()
    if kind == "nothing":
        return "teacher"
    if kind.startswith("name "):
        (teacher / kind[5:]).write_bytes(b"x")
        return f"teacher/{kind[5:]}"
    if kind.startswith("folder "):
        (teacher / kind[7:]).write_bytes(b"x")
        return "teacher"
    if kind == "cut off":
        weights.write_bytes(data[:-3])
    elif kind == "no safetensors":
        weights.write_bytes(b"<html>404</html>" + bytes(90))
    elif kind == "empty":
        weights.write_bytes(b"")
    elif kind == "git-lfs":
        weights.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    elif kind == "whole model":
        zipped_pickle(teacher / "pytorch_model.bin", Network())
    elif kind == "whole model, old format":
        with (teacher / "pytorch_model.bin").open("wb") as stream:
            for value in (1, 2, {}, Network()):
                pickle.dump(value, stream, protocol=4)
    elif kind == "zip cut off":
        zipped_pickle(teacher / "pytorch_model.bin", {"w": 0})
        whole = (teacher / "pytorch_model.bin").read_bytes()
        (teacher / "pytorch_model.bin").write_bytes(whole[: len(whole) // 2])
    elif kind == "a shard is missing":
        index = {"weight_map": {"w": "model-1.safetensors", "v": "model-2.safetensors"}}
        (teacher / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
        safetensors(teacher / "model-1.safetensors")
    return "teacher"


SPOILT = {
    "nothing": (
        "the folder teacher holds no weights (model.safetensors or pytorch_model.bin)",
        "It holds: config.json",
    ),
    "folder tf_model.h5": ("weights.folder-of-tensorflow", "from_tf=True"),
    "folder bert_model.ckpt.index": (
        "weights.folder-of-tensorflow",
        "transformers-cli convert",
    ),
    "folder flax_model.msgpack": ("weights.folder-of-flax", "from_flax=True"),
    "folder model.pt": (
        "weights.folder-of-a-pickle",
        "torch.save(model.state_dict()",
    ),
    "folder best.bin": (
        ("weights.named-otherwise", "model.safetensors"),
        "Name the file: teacher/best.bin",
    ),
    "folder adapter_model.safetensors": ("weights.folder-of-an-adapter", "merge_and_unload"),
    "name adapter_model.bin": (("weights.adapter-file", "adapter_model.bin"), "merge_and_unload"),
    "folder model-00001-of-00002.safetensors": ("weights.parts-without-index", "index.json"),
    "name model.pkl": (
        ("weights.pickle-file", "teacher/model.pkl"),
        "torch.save(model.state_dict()",
    ),
    "name model.pt": (("weights.pickle-file", "teacher/model.pt"), "model.state_dict()"),
    "name tf_model.h5": (("weights.tensorflow-file", "teacher/tf_model.h5"), "from_tf=True"),
    "name model.ckpt-10.index": ("weights.tensorflow-file", "from_tf=True"),
    "name weights.txt": (
        ("weights.no-weights-file", "teacher/weights.txt"),
        "one .safetensors or one .bin",
    ),
    "name model.bin": (("weights.not-of-torch-save", "teacher/model.bin"), "Copy it again"),
    "cut off": ("weights.safetensors-wrong-size", "Copy it again"),
    "no safetensors": (
        ("weights.safetensors-cut-off", "teacher/model.safetensors"),
        "Copy it again",
    ),
    "empty": (("weights.file-empty", "teacher/model.safetensors"), "Copy it again"),
    "git-lfs": ("weights.lfs-pointer", "git lfs pull"),
    "whole model": (
        ("weights.whole-pickled-model", "tests.config.test_files.Network)"),
        "state_dict",
    ),
    "whole model, old format": ("weights.whole-pickled-model", "state_dict"),
    "zip cut off": ("weights.file-damaged", "Copy it again"),
    "a shard is missing": (("weights.parts-missing", "model-2.safetensors"), "Copy all its files"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_weights_that_can_not_be_loaded(kind, world):
    world.values["teacher_architectures"]["model_name_or_path"] = broken(world, kind)
    (problem,) = world.problems()
    message, hint = SPOILT[kind]
    assert problem.place == world.place("model_name_or_path")
    assert problem.message.startswith("'teacher_architectures.model_name_or_path': ")
    assert holds(problem, message)
    assert hint in problem.hint


@pytest.mark.parametrize("named", ["run", "ruin"])
def test_a_run_folder_in_place_of_its_network(world, named):
    (world.folder / "run").mkdir()
    (world.folder / "teacher").rename(world.folder / "run" / "teacher")
    world.values["teacher_architectures"]["model_name_or_path"] = f"./{named}"
    assert [problem.hint for problem in world.problems()] == ["Did you mean run/teacher?"]


def test_a_network_beside_the_architecture_hides_no_missing_tokenizer(world):
    """``run/config.json`` is the architecture, and ``run/teacher`` happens to hold a network."""
    run = world.folder / "run"
    run.mkdir()
    (run / "config.json").write_bytes((world.folder / "teacher" / "config.json").read_bytes())
    shutil.copytree(world.folder / "teacher", run / "teacher")
    (world.folder / "teacher" / "vocab.txt").unlink()
    (run / "teacher" / "vocab.txt").unlink()
    world.values["teacher_architectures"]["config_file"] = "run/config.json"
    assert any("no tokenizer" in problem.message for problem in world.problems())


def test_a_tensorflow_checkpoint_by_its_prefix(world):
    (world.folder / "teacher" / "bert_model.ckpt.index").write_bytes(b"x")
    report = world.report("teacher_architectures.model_name_or_path=teacher/bert_model.ckpt")
    assert "[weights.tensorflow-file]" in report and "teacher/bert_model.ckpt" in report


def test_sharded_weights_are_taken(world):
    broken(world, "a shard is missing")
    safetensors(world.folder / "teacher" / "model-2.safetensors")
    assert world.load().warnings == []


PATHS = {
    "./teecher": "there is no file or folder ./teecher.",
    "teacher/nothing": "there is no file or folder teacher/nothing.",
    "models/a/b": "there is no file or folder models/a/b.",
    "/nowhere/teacher": "The path exists up to /.",
    "teacher.bin": "there is no file or folder teacher.bin.",
    "x" * 300 + "/y/z": "there is no file or folder xxx",
    "a\x01b": "there is no file or folder",
}


@pytest.mark.parametrize("name", PATHS)
def test_a_path_that_is_not_there(name, world):
    report = world.report(f"teacher_architectures.model_name_or_path={json.dumps(name)}")
    assert PATHS[name] in report and report.startswith("error")


def test_the_nearest_name_in_the_folder(world):
    report = world.report("teacher_architectures.model_name_or_path=./teecher")
    assert " teacher?" in report


@pytest.mark.parametrize("name", ["bert-base-chinese", "org/name", "hfl/chinese-roberta-wwm-ext"])
def test_a_name_of_the_hub_passes_with_a_word_about_it(name, world):
    (warning,) = world.load(f"teacher_architectures.model_name_or_path={name}").warnings
    assert holds(warning, ("hub.taken-as-a-name", name))


def test_the_architecture_file(world):
    world.values["teacher_architectures"]["config_file"] = "arch.txt"
    assert holds(world.report(), ("network.config-missing", "arch.txt"))
    (world.folder / "arch.txt").write_text('{"num_hidden_layers": 3}', encoding="utf-8")
    assert world.load().warnings == []
    (world.folder / "arch.txt").write_text('{"num_hidden_layers": 3,}', encoding="utf-8")
    assert holds(world.report(), ("network.config-unreadable", "line 1, column 25"))
    (world.folder / "arch.txt").write_text("[]", encoding="utf-8")
    assert holds(world.report(), ("network.config-unreadable", "JSON list"))
    (world.folder / "arch.txt").write_bytes(b'{"a": "\xff"}')
    assert holds(world.report(), ("network.config-unreadable", "UTF-8"))
    world.values["teacher_architectures"]["config_file"] = "teacher"
    assert "[network.config-is-a-folder]" in world.report()
    assert "teacher/config.json" in world.report()


def test_an_architecture_that_nobody_names(world):
    (world.folder / "arch.json").write_text("{}", encoding="utf-8")
    world.values["teacher_architectures"] |= {"model_type": None, "config_file": "arch.json"}
    assert holds(world.report(), ("network.type-not-told", "arch.json"))


def test_model_type_and_files_that_disagree(world):
    world.values["teacher_architectures"]["model_type"] = "roberta"
    (problem,) = world.problems()
    assert (
        problem.code == "network.two-types"
        and "'roberta'" in problem.message
        and "teacher/config.json" in problem.message
        and "'bert'" in problem.message
    )
    assert problem.place.startswith("my.json: line ")


def test_an_architecture_that_transformers_does_not_know(world):
    world.values["teacher_architectures"]["model_type"] = "brt"
    report = world.report()
    assert "[network.type-unknown]" in report and "'brt'" in report
    assert "'bert'?" in report


def test_a_folder_without_config(world):
    (world.folder / "teacher" / "config.json").unlink()
    report = world.report()
    assert "[weights.no-config]" in report
    assert "teacher_architectures" in report


def test_no_tokenizer(world):
    (world.folder / "teacher" / "vocab.txt").unlink()
    assert holds(world.report(), ("tokenizer.nowhere", "tokenizer.json, vocab.txt"))
    (world.folder / "words").mkdir()
    assert "[tokenizer.not-in-the-folder]" in world.report("tokenizer_name_or_path=words")
    (world.folder / "words" / "vocab.txt").write_text("[UNK]\n", encoding="utf-8")
    assert world.load("tokenizer_name_or_path=words").warnings == []


def test_a_vocabulary_beside_the_architecture(world):
    (world.folder / "arch").mkdir()
    (world.folder / "arch" / "bert.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (world.folder / "teacher" / "vocab.txt").rename(world.folder / "arch" / "vocab.txt")
    world.values["teacher_architectures"]["config_file"] = "arch/bert.json"
    assert world.load().warnings == []


def test_the_student_is_looked_at_too_and_may_be_left_out(world):
    world.values["student_architectures"] = {"config_file": "no.json", "model_name_or_path": "./no"}
    report = world.report()
    assert (
        "[network.config-missing]" in report
        and "'student_architectures.config_file'" in report
        and "no.json" in report
    )
    assert (
        "[weights.missing]" in report
        and "'student_architectures.model_name_or_path'" in report
        and "/no" in report
    )
    del world.values["student_architectures"]
    assert world.load().warnings == []


def test_data(world):
    assert "[data.dir-missing]" in world.report("data_dir=nowhere")
    report = world.report("data_dir=my.json")
    assert "[data.dir-is-a-file]" in report and "my.json" in report
    assert "Did you mean" not in report
    assert " data?" in world.report("data_dir=dat")
    report = world.report("task_name=sst2")
    assert (
        "no train file for the task sst2: looked for data/SST-2/train.tsv and data/train.tsv"
        in report
    )
    (world.folder / "data" / "chat" / "dev.data.txt").unlink()
    (warning,) = world.load().warnings
    assert warning.place.endswith("test.data.txt") and warning.code == "data.stand-in-file"
    (world.folder / "data" / "chat" / "train.data.txt").unlink()
    (world.folder / "data" / "chat" / "test.data.txt").unlink()
    report = world.report()
    assert report.count("[data.no-file-of-the-split]") == 2


def test_the_output_folder(world):
    assert "[run.output-is-a-file]" in world.report("output_dir=my.json")
    assert "[run.output-below-a-file]" in world.report("output_dir=my.json/out")
    assert world.load("output_dir=a/b/c").warnings == []
    assert not (world.folder / "a").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes anywhere")
def test_an_output_folder_that_can_not_be_written(world):
    (world.folder / "locked").mkdir(mode=0o500)
    assert "[run.output-not-writable]" in world.report("output_dir=locked/out")


def test_a_run_that_only_evaluates_needs_its_folder_but_no_teacher(world):
    world.values["do_train"] = False
    assert holds(world.report(), ("run.nothing-to-evaluate", "output_test"))
    (world.folder / "output_test").mkdir()
    world.values["teacher_architectures"]["model_name_or_path"] = "./gone"
    (warning,) = world.load().warnings
    assert (
        warning.severity == "warning"
        and warning.code == "weights.missing"
        and "/gone" in warning.message
    )


def test_the_home_folder(world, monkeypatch):
    monkeypatch.setenv("HOME", str(world.folder))
    config = world.load("teacher_architectures.model_name_or_path=~/teacher").config
    assert config.teacher_architectures.model_name_or_path == str(world.folder / "teacher")


@pytest.mark.parametrize("name", ["student", "Checkpoints", "run.json", "tensorboard/x"])
def test_prepared_data_do_not_lie_where_the_run_itself_writes(world, name):
    world.values["cache_dir"] = f"{world.values['output_dir']}/{name}"
    (problem,) = [p for p in world.problems() if p.severity == "error"]
    assert "'cache_dir'" in problem.message and problem.code == "cache.dir-of-the-run"
    assert problem.place == world.place("cache_dir")


@pytest.mark.parametrize("name", ["cache", "cache/mine", "prepared", "."])
def test_other_folders_may_hold_prepared_data(world, name):
    world.values["cache_dir"] = f"{world.values['output_dir']}/{name}"
    assert "cache_dir" not in world.report()


def test_a_cache_dir_is_no_file(world):
    (world.folder / "file").write_bytes(b"x")
    world.values["cache_dir"] = "file"
    assert "[cache.dir-is-a-file]" in world.report()

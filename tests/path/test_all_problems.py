"""The second report is complete: a fault that does not hide another one is said together with it."""

import json
import shutil

import pytest

from chatstill.errors import UserError
from tests.found import told


def refusal(run, **changes) -> str:
    with pytest.raises(UserError) as error:
        run("check", **changes)
    return told(error)


@pytest.fixture
def spoiled(shared, tmp_path):
    """Chat files with a malformed row each."""
    shutil.copytree(shared / "data", tmp_path / "data")
    for split, row in (("train", "a b\tc"), ("dev", "a b\tc\tx")):
        path = tmp_path / "data" / "chat" / f"{split}.data.txt"
        path.write_text(path.read_text(encoding="utf-8") + row + "\n", encoding="utf-8")
    return tmp_path / "data"


def swapped(copy_of) -> object:
    """A teacher whose names of outputs are the wrong way round."""
    return copy_of("bert", id2label={"0": "match", "1": "no_match"})


def test_length_depth_rows_and_precision_at_once(run, spoiled):
    text = refusal(
        run,
        data=spoiled,
        student_architectures={"num_hidden_layers": 9},
        max_seq_length=100,
        fp16=True,
        use_cpu=True,
    )
    for words in ("position table", "9 layers", "half precision", "train.data.txt: line 49"):
        assert words in text
    assert "dev.data.txt: line 61: found the label 'x'" in text
    assert text.count("position table") == 1, "not once more for the student, a cut teacher"


def test_a_weak_teacher_does_not_hide_a_wrong_depth(run, copy_of):
    text = refusal(run, teacher=swapped(copy_of), student_architectures={"num_hidden_layers": 3})
    assert "labels may be swapped" in text
    assert "[theseus.layers-not-shareable]" in text and "4 teacher" in text


def test_rows_of_both_files_and_a_wrong_grouping(run, spoiled):
    text = refusal(
        run, data=spoiled, theseus_scheduler={"replacing_rate": 0.5, "grouping": [[0], [1, 2]]}
    )
    assert "grouping" in text
    assert text.count("[data.malformed-row]") == 2
    assert "train.data.txt: line 49" in text and "dev.data.txt: line 61" in text


def test_a_folder_that_is_taken_hides_no_faults_of_the_rows(run, shared, spoiled):
    run(data=shared / "data", num_train_epochs=1)
    text = refusal(run, data=spoiled, num_train_epochs=1)
    assert (
        "[run.another-configuration]" in text
        and "data.train (or unlabeled.data.txt beside it): other content" in text
    )
    assert text.count("[data.malformed-row]") == 2
    assert "train.data.txt: line 49" in text and "dev.data.txt: line 61" in text
    text = refusal(run, data=shared / "data", num_train_epochs=2)
    assert "num_train_epochs: 1" in text, "nothing else is wrong"


def test_another_type_of_student_is_no_copy_of_the_teacher(run):
    text = refusal(run, student_architectures={"model_type": "roberta", "num_hidden_layers": 2})
    assert (
        "[student.type-of-the-teacher]" in text
        and "student_architectures.model_type" in text
        and "'roberta'" in text
        and "'bert'" in text
    )


def test_a_students_file_that_differs_in_no_shape_is_taken_for_its_depth(run, teacher_of, tmp_path):
    values = json.loads((teacher_of() / "config.json").read_text(encoding="utf-8"))
    file = tmp_path / "student.json"
    values |= {"num_hidden_layers": 1, "layer_norm_eps": 1e-5, "hidden_act": "relu"}
    file.write_text(json.dumps(values), encoding="utf-8")
    text = run("check", student_architectures={"config_file": str(file)}).text
    assert "1 layers, width 16" in text
    assert "layer_norm_eps is 1e-05, the teacher's 1e-12" in text.replace("is 1e-12", "1e-12")

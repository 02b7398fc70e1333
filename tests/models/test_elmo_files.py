"""The two files of an ELMo: where they are looked for, and what is said of each fault in them."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.elmo_by_hand import arrays_of, options_of, write_elmo

from chatstill.errors import Said
from chatstill.models.networks import network
from chatstill.models.networks.elmo.files import find_files
from chatstill.models.networks.elmo.options import Options, read_options
from chatstill.models.networks.elmo.weights import read_weights, tensors

CELL = "RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell"
NAMES = sorted(arrays_of())


@pytest.fixture
def folder(tmp_path):
    return write_elmo(tmp_path / "elmo")


def weights_of(folder):
    options = read_options(folder / "my_options.json")
    assert isinstance(options, Options), options
    return read_weights(folder / "my_weights.hdf5", options)


def codes(said):
    return sorted({one.code for one in said})


# -- where they lie ---------------------------------------------------------------------------------


def test_the_first_folder_with_both_is_taken(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "options.json").write_text("{}")
    found = find_files([tmp_path / "empty", tmp_path / "half", folder, tmp_path])
    assert found == (folder / "my_options.json", folder / "my_weights.hdf5")


def test_without_them_the_folders_and_what_they_hold_are_told(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "options.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    said = find_files([tmp_path / "a", tmp_path / "nowhere", Path()])
    assert said.code == "elmo.files-not-found"
    for part in (str(tmp_path / "a"), "options.json", "nowhere", "working directory"):
        assert part in said.message
    assert "model_name_or_path" in said.hint


@pytest.mark.parametrize("name", ["other_options.json", "weights.hdf5"])
def test_two_of_one_kind_are_told(tmp_path, folder, name):
    (folder / name).write_text("{}")
    said = find_files([folder])
    assert isinstance(said, Said)
    assert name in said.message and "my_options.json" in said.message


# -- options ----------------------------------------------------------------------------------------


def faulty(path, value):
    """The options with one key replaced, or taken out."""
    options = options_of()
    *parts, last = path.split(".")
    block = options
    for part in parts:
        block = block[part]
    if value is None:
        del block[last]
    else:
        block[last] = value
    return options


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lstm.dim", None),
        ("lstm.dim", 0),
        ("lstm.dim", 6.5),
        ("lstm.dim", "6"),
        ("lstm.dim", True),
        ("lstm.n_layers", 10**9),
        ("lstm.cell_clip", -1),
        ("lstm.use_skip_connections", 1),
        ("char_cnn", None),
        ("char_cnn", []),
        ("char_cnn.n_characters", 260),
        ("char_cnn.n_characters", 263),
        ("char_cnn.n_characters", None),
        ("char_cnn.max_characters_per_token", 30),
        ("char_cnn.activation", "gelu"),
        ("char_cnn.filters", []),
        ("char_cnn.filters", [[1, 2, 3]]),
        ("char_cnn.filters", [[51, 2]]),
        ("char_cnn.filters", [[0, 2]]),
        ("char_cnn.filters", [[1, 60_000], [2, 60_000]]),
        ("char_cnn.embedding.dim", -3),
    ],
)
def test_a_faulty_option_is_told_by_name(tmp_path, path, value):
    file = tmp_path / "options.json"
    file.write_text(json.dumps(faulty(path, value)))
    said = read_options(file)
    assert isinstance(said, list) and codes(said) == ["elmo.option-faulty"]
    assert all(str(file) in one.message and path in one.message for one in said)


def test_all_faulty_options_are_told_at_once(tmp_path):
    file = tmp_path / "options.json"
    options = faulty("lstm.dim", None)
    options["char_cnn"]["n_characters"] = 260
    file.write_text(json.dumps(options))
    text = " ".join(one.message for one in read_options(file))
    assert "lstm.dim" in text and "char_cnn.n_characters" in text and "260" in text


def test_what_a_network_can_do_without_may_be_left_out(tmp_path):
    options = options_of()
    for key in ("cell_clip", "use_skip_connections"):
        del options["lstm"][key]
    options["lstm"]["proj_clip"] = None
    del options["char_cnn"]["n_highway"]
    options["char_cnn"]["n_characters"] = 261
    (tmp_path / "options.json").write_text(json.dumps(options))
    found = read_options(tmp_path / "options.json")
    assert (found.lstm.cell_clip, found.lstm.proj_clip) == (None, None)
    assert not found.lstm.use_skip_connections and found.char_cnn.n_highway == 0


@pytest.mark.parametrize("text", ["", "[]", '{"lstm": ', "\0", '{"a": 1, "a": 2}'])
def test_options_that_are_no_json_object_are_told(tmp_path, text):
    (tmp_path / "options.json").write_text(text)
    said = read_options(tmp_path / "options.json")
    assert isinstance(said, list) and str(tmp_path / "options.json") in said[0].message


# -- weights ----------------------------------------------------------------------------------------


def test_a_sound_file_is_read(folder):
    found = weights_of(folder)
    assert isinstance(found, dict) and len(found) == len(NAMES) + 4  # W_0 is two matrices
    assert all(array.dtype == np.float32 for array in found.values())


def test_the_names_are_those_that_the_format_lists(folder):
    options = read_options(folder / "my_options.json")
    assert sorted(one.name for one in tensors(options)) == NAMES


def remake(file, name, array=None, **how):
    del file[name]
    if array is not None or how:
        file.create_dataset(name, data=array, **how)


def missing(file, name):
    remake(file, name)


def of_another_shape(file, name):
    remake(file, name, np.zeros((*file[name].shape[:-1], file[name].shape[-1] + 1), np.float32))


def transposed(file, name):
    remake(file, name, np.zeros((2, *file[name].shape), np.float32))


def of_doubles(file, name):
    remake(file, name, file[name][...].astype(np.float64))


def of_numbers(file, name):
    remake(file, name, file[name][...].astype(np.int32))


def of_texts(file, name):
    remake(file, name, np.full(file[name].shape, b"x"))


def not_a_number(file, name):
    array = file[name][...]
    array.flat[-1] = np.nan
    file[name][...] = array


def infinite(file, name):
    array = file[name][...]
    array.flat[0] = -np.inf
    file[name][...] = array


def a_group(file, name):
    del file[name]
    file.create_group(name)


def an_external_link(file, name):
    """To a sound array of the right shape: even so it is not followed."""
    with h5py.File(Path(file.filename).parent / "other.h5", "w") as other:
        other["x"] = file[name][...]
    del file[name]
    file[name] = h5py.ExternalLink("other.h5", "/x")


def a_soft_link(file, name):
    file["elsewhere"] = file[name][...]
    del file[name]
    file[name] = h5py.SoftLink("/elsewhere")


def a_link_to_nothing(file, name):
    del file[name]
    file[name] = h5py.SoftLink("/nothing")


def in_a_linked_group(file, name):
    top = name.split("/")[0]
    with h5py.File(Path(file.filename).parent / "other.h5", "w") as other:
        file.copy(top, other)
    del file[top]
    file[top] = h5py.ExternalLink("other.h5", f"/{top}")


def in_an_external_file(file, name):
    array = file[name][...]
    raw = Path(file.filename).parent / "raw.bin"
    raw.write_bytes(array.tobytes())
    del file[name]
    file.create_dataset(name, array.shape, array.dtype, external=[(str(raw), 0, array.nbytes)])


def virtual(file, name):
    array = file[name][...]
    with h5py.File(Path(file.filename).parent / "other.h5", "w") as other:
        other["x"] = array
    layout = h5py.VirtualLayout(shape=array.shape, dtype=array.dtype)
    layout[...] = h5py.VirtualSource("other.h5", "x", shape=array.shape)
    del file[name]
    file.create_virtual_dataset(name, layout)


FAULTS = {
    missing: "elmo.tensor-missing",
    of_another_shape: "elmo.tensor-of-another-shape",
    transposed: "elmo.tensor-of-another-shape",
    of_doubles: "elmo.tensor-of-another-type",
    of_numbers: "elmo.tensor-of-another-type",
    of_texts: "elmo.tensor-of-another-type",
    not_a_number: "elmo.tensor-not-finite",
    infinite: "elmo.tensor-not-finite",
    a_group: "elmo.tensor-is-a-group",
    an_external_link: "elmo.tensor-is-a-link",
    a_soft_link: "elmo.tensor-is-a-link",
    a_link_to_nothing: "elmo.tensor-is-a-link",
    in_a_linked_group: "elmo.tensor-is-a-link",
    in_an_external_file: "elmo.tensor-is-elsewhere",
    virtual: "elmo.tensor-is-elsewhere",
}
OPTIONAL = ("CNN_proj/W_proj", "CNN_proj/b_proj")


@settings(max_examples=80, deadline=None, derandomize=True)
@given(name=st.sampled_from(NAMES), fault=st.sampled_from(list(FAULTS)))
def test_a_damaged_data_set_is_told_by_name_and_nothing_is_loaded(tmp_path_factory, name, fault):
    folder = write_elmo(tmp_path_factory.mktemp("damaged"))
    with h5py.File(folder / "my_weights.hdf5", "r+") as file:
        fault(file, name)
    said = weights_of(folder)
    assert isinstance(said, list), fault.__name__
    assert {FAULTS[fault]} <= set(codes(said)) <= {FAULTS[fault], "elmo.tensor-not-counted"}
    assert any(name in one.message for one in said)
    assert all(str(folder / "my_weights.hdf5") in one.message for one in said)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_each_fault_is_told_before_anything_is_loaded(folder, fault):
    """By `problems`, but for numbers, which are looked at when they are read."""
    with h5py.File(folder / "my_weights.hdf5", "r+") as file:
        fault(file, f"{CELL}/W_0")
    ours = network("elmo")
    found = ours.problems(ours.Block(folder=str(folder)))
    if FAULTS[fault] == "elmo.tensor-not-finite":
        assert found == []
    else:
        assert {(key, said.code) for key, said in found} == {("folder", FAULTS[fault])}


def test_all_faults_are_told_at_once(folder):
    with h5py.File(folder / "my_weights.hdf5", "r+") as file:
        missing(file, "char_embed")
        of_doubles(file, f"{CELL}/B")
        not_a_number(file, "CNN/W_cnn_1")
    text = " ".join(one.message for one in weights_of(folder))
    assert all(name in text for name in ("char_embed", f"{CELL}/B", "CNN/W_cnn_1"))


def test_layers_that_the_options_do_not_count_are_told(tmp_path):
    """Two layers of three would be another network, and nobody would know."""
    folder = write_elmo(tmp_path, layers=3)
    (folder / "my_options.json").write_text(json.dumps(options_of(layers=2)))
    said = weights_of(folder)
    assert codes(said) == ["elmo.tensor-not-counted"] and len(said) == 6
    assert all("Cell2" in one.message for one in said)


def test_what_is_no_part_of_the_format_may_stand_there(folder):
    with h5py.File(folder / "my_weights.hdf5", "r+") as file:
        file["softmax/W"] = np.zeros(3)
        file["note"] = "of my own"
    assert isinstance(weights_of(folder), dict)


def test_numbers_of_the_other_byte_order_are_the_same_numbers(folder):
    before = weights_of(folder)
    with h5py.File(folder / "my_weights.hdf5", "r+") as file:
        remake(file, "char_embed", file["char_embed"][...].astype(">f4"))
    found = weights_of(folder)
    assert all(np.array_equal(before[name], found[name]) for name in before)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(share=st.floats(0, 0.999))
def test_a_file_that_was_cut_off_is_told(tmp_path_factory, share):
    folder = write_elmo(tmp_path_factory.mktemp("cut"))
    file = folder / "my_weights.hdf5"
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    said = weights_of(folder)
    assert isinstance(said, list) and codes(said) == ["elmo.weights-unreadable"]
    assert str(file) in said[0].message


def test_without_h5py_its_extra_is_named(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (said,) = weights_of(folder)
    assert said.code == "elmo.h5py-missing" and "chatstill[elmo]" in said.hint

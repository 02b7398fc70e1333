"""What a DC-BERT takes over from its teacher, its lengths, and a user's own interaction."""

import re
from pathlib import Path

import pytest
import torch
import transformers as tf
from tests.dc_bert_by_hand import dc_bert, jittered, numbers, reading_of, teacher_of
from tests.path import world

from chatstill.errors import UserError
from chatstill.models.custom import code_of
from chatstill.models.networks.dc_bert import use_plugins
from chatstill.models.networks.dc_bert.build import build_dc_bert
from chatstill.models.networks.dc_bert.encoders import layers_of
from chatstill.models.networks.dc_bert.fitting import Interaction, interaction_layers
from chatstill.models.networks.dc_bert.lengths import fitting_lengths
from chatstill.models.student_spec import StudentSpec

ROOT = Path(__file__).resolve().parents[2]


def same(one, other):
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def problems(**changes):
    with pytest.raises(UserError) as caught:
        dc_bert(**changes)
    return caught.value.problems


# -- taken over ------------------------------------------------------------------------------------


@pytest.mark.parametrize("teacher", ["bert", "roberta", "electra", "distilbert"])
def test_encoders_and_interaction_start_as_the_teachers_layers(teacher):
    made = dc_bert(teacher, depth=2, layers=2, copy_from=1)
    theirs = layers_of(made.teacher.base_model)
    towers = made.model.dc_bert
    for encoder in (towers.query_encoder, towers.document_encoder):
        assert len(layers_of(encoder)) == 2
        assert all(same(layers_of(encoder)[n], theirs[n]) for n in (0, 1))
        assert same(encoder.embeddings, made.teacher.base_model.embeddings)
    assert all(same(made.model.interaction.layers[n], theirs[n]) for n in (0, 1))
    assert towers.query_encoder is not towers.document_encoder
    assert any("[0, 1]" in line for line in made.lines)


def test_the_last_layer_is_the_usual_one_and_chosen_layers_make_the_encoders():
    made = dc_bert(depth=2, copy_layers=(0, 2))
    theirs = layers_of(made.teacher.base_model)
    assert same(made.model.interaction.layers[0], theirs[2])
    encoder = made.model.dc_bert.query_encoder
    assert same(layers_of(encoder)[0], theirs[0]) and same(layers_of(encoder)[1], theirs[2])


def test_global_tables_start_as_the_teachers():
    form, theirs = (made := dc_bert()).model.interaction, made.teacher.bert.embeddings
    assert torch.equal(form.positions.weight, theirs.position_embeddings.weight)
    assert torch.equal(form.types.weight, theirs.token_type_embeddings.weight)


def test_robertas_positions_begin_behind_padding_and_its_lone_type_is_both():
    form, theirs = (made := dc_bert("roberta")).model.interaction, made.teacher.roberta.embeddings
    assert torch.equal(form.positions.weight, theirs.position_embeddings.weight[2:])
    assert torch.equal(form.types.weight, theirs.token_type_embeddings.weight.expand(2, -1))


def test_distilbert_has_no_types_so_they_start_at_0():
    made = dc_bert("distilbert")
    assert not made.model.interaction.types.weight.any()
    table = made.teacher.distilbert.embeddings.position_embeddings.weight
    assert torch.equal(made.model.interaction.positions.weight, table)


def test_electras_narrower_tables_go_through_its_projection():
    made = dc_bert("electra")
    theirs = made.teacher.electra
    table = numbers(theirs.embeddings.position_embeddings.weight)
    expected = table @ numbers(theirs.embeddings_project.weight).T
    torch.testing.assert_close(
        made.model.interaction.positions.weight.double(), torch.tensor(expected), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize(
    ("teacher", "place"),
    [
        ("bert", "bert.pooler.dense"),
        ("roberta", "classifier.dense"),
        ("electra", "classifier.dense"),
        ("distilbert", "pre_classifier"),
    ],
)
def test_poolers_of_linear_start_as_the_layer_behind_the_teachers_cls(teacher, place):
    made = dc_bert(teacher, kind="Linear")
    for pooler in (made.model.interaction.query_pooler, made.model.interaction.document_pooler):
        assert same(pooler, made.teacher.get_submodule(place))


def test_a_shared_encoder_is_one_and_is_saved_once(tmp_path):
    made = dc_bert(shared=True)
    assert made.model.dc_bert.document_encoder is None
    assert made.model.dc_bert.of_documents is made.model.dc_bert.query_encoder
    names = list(made.model.state_dict())
    assert not [name for name in names if "document_encoder" in name]


def test_the_teacher_is_left_alone_and_nothing_is_drawn_from_the_global_generator():
    teacher, tokenizer = teacher_of()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    drawn = torch.get_rng_state()
    spec = StudentSpec(3, None, lambda: None, reading=reading_of(tokenizer))
    one, _ = build_dc_bert(teacher, Interaction("transformer", 1, -1, False), spec)
    other, _ = build_dc_bert(teacher, Interaction("transformer", 1, -1, False), spec)
    assert torch.equal(drawn, torch.get_rng_state())
    jittered(one)
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    assert not same(one, other)


# -- which layers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "copy_from", "expected"),
    [
        (1, -1, [11]),
        (1, 0, [0]),
        (1, -12, [0]),
        (2, -1, [10, 11]),
        (3, 5, [3, 4, 5]),
        (12, -1, [*range(12)]),
    ],
)
def test_the_interaction_ends_with_the_layer_that_is_named(layers, copy_from, expected):
    wanted = Interaction("transformer", layers, copy_from, False)
    assert interaction_layers(wanted, 12) == (expected, [])


@pytest.mark.parametrize(
    ("layers", "copy_from", "code", "values"),
    [
        (1, 12, "dc-bert.layer-out-of-range", ("is 12,", "has 12 layers", "0 to 11", "to -12")),
        (1, -13, "dc-bert.layer-out-of-range", ("is -13,", "has 12 layers", "0 to 11", "to -12")),
        (3, 1, "dc-bert.too-few-layers-below", ("is 1,", "layer 1", ": 2 of")),
        (2, -12, "dc-bert.too-few-layers-below", ("is -12,", "layer 0", ": 1 of")),
        (13, -1, "dc-bert.more-interaction-layers-than-layers", (": 12 of", "is 13")),
    ],
)
def test_a_layer_that_is_not_there_or_too_few_below_it(layers, copy_from, code, values):
    wanted = Interaction("transformer", layers, copy_from, False)
    found, (problem,) = interaction_layers(wanted, 12)
    assert not found and problem.code == code
    assert all(value in problem.message for value in values)
    assert problem.place == "dc_bert_model_config.copy_from_bert_layer_num"


def test_the_way_out_is_a_layer_that_works():
    _, (problem,) = interaction_layers(Interaction("transformer", 3, 1, False), 12)
    assert problem.hint == "Write 2 to 11, or -1 (the last) to -10."
    for number in (2, 11, -1, -10):
        assert not interaction_layers(Interaction("transformer", 3, number, False), 12)[1]
    for number in (1, 12, -11):
        assert interaction_layers(Interaction("transformer", 3, number, False), 12)[1]


# -- lengths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "query", "reply", "expected"),
    [
        (128, None, None, (32, 93)),  # 128 - 3 special tokens of a row
        (40, None, None, (18, 19)),  # half of a short row
        (128, 10, None, (10, 115)),
        (512, None, None, (32, 476)),  # 34 and 478 places of 512
        (128, 32, 64, (32, 64)),
    ],
)
def test_lengths_leave_a_row_and_the_table_room(row, query, reply, expected):
    reading = reading_of(world.tokenizer_of("bert"), row, query, reply)
    assert fitting_lengths(reading, 512, True) == (expected, [])


def test_linear_needs_no_table_for_both_texts_at_once():
    reading = reading_of(world.tokenizer_of("bert"), 512, None, None)
    assert fitting_lengths(reading, 512, False) == ((32, 477), [])


def test_query_and_reply_above_the_position_table_name_the_three_numbers():
    reading = reading_of(world.tokenizer_of("bert"), 64, 31, 30)
    _, (problem,) = fitting_lengths(reading, 64, True)
    assert problem.code == "dc-bert.beyond-the-position-table"
    numbers = [int(number) for number in re.findall(r"\d+", problem.message)]
    assert numbers == [31, 30, 2, 65, 64]


def test_lengths_that_no_row_can_hold():
    reading = reading_of(world.tokenizer_of("bert"), 32, 29, None)
    _, (problem,) = fitting_lengths(reading, 64, True)
    assert "max_query_length 29 and max_reply_length left out do not fit" in problem.message
    assert "29 tokens are left for texts" in problem.message


# -- what does not fit -----------------------------------------------------------------------------


def test_other_teachers_are_refused_by_name():
    config = world.config_of("llama", 40, 2, 0.0)
    teacher = tf.AutoModelForSequenceClassification.from_config(config)
    spec = StudentSpec(2, None, lambda: None, reading=reading_of(world.tokenizer_of("bert")))
    with pytest.raises(UserError, match="a 'llama' cannot be the start") as caught:
        build_dc_bert(teacher, Interaction("transformer", 1, -1, False), spec)
    assert "bert, roberta, electra, distilbert" in caught.value.problems[0].hint


def test_everything_comes_at_once():
    found = problems(
        copy_from=7, depth=5, path="elsewhere", copy_source="none", query=20, reply=20, pairs=False
    )
    places = [problem.place for problem in found]
    assert places == [
        "student_architectures.model_name_or_path",
        "student_architectures.copy_from",
        "student_architectures",
        "dc_bert_model_config.copy_from_bert_layer_num",
        "max_query_length",
        "task_name",
    ]
    assert found[2].code == "dc-bert.deeper-than-the-teacher"


# -- a user's own interaction ----------------------------------------------------------------------

OWN = """
import torch
from torch import nn

class Dots(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(config.num_labels))

    def forward(self, query, query_mask, document, document_mask):
        return (query[:, 0] * document[:, 0]).sum(-1, keepdim=True) * self.scale
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory; ``write(text)`` makes its models/dc_bert.py."""
    monkeypatch.chdir(tmp_path)
    use_plugins([])

    def write(text, name="models/dc_bert.py"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return str(file)

    yield write
    use_plugins([])


@torch.no_grad()
def test_a_class_of_the_working_directory_is_the_interaction(folder):
    folder(OWN)
    made = dc_bert(kind="dots", outputs=3)
    assert type(made.model.interaction).__name__ == "Dots"
    assert re.fullmatch("[0-9a-f]{64}", made.model.config.interaction_code)
    rows = made.tokenizer(["where is"], ["sure"], return_tensors="pt")
    query = made.model.encode_queries(*made.model.query_ids(["where is"], made.tokenizer)[:2])
    reply = made.model.encode_documents(*made.model.document_ids(["sure"], made.tokenizer)[:2])
    expected = float((query.vector * reply.vector).sum())
    assert made.model(**rows).logits[0].tolist() == pytest.approx([expected] * 3, rel=1e-4)


def test_a_class_of_a_plugin_goes_before_it(folder):
    folder(OWN)
    use_plugins([folder(OWN.replace("torch.ones", "torch.zeros"), "mine.py")])
    assert not dc_bert(kind="Dots").model.interaction.scale.any()


def test_a_name_that_is_nowhere_is_told_with_the_nearest_and_the_places(folder):
    (problem,) = problems(kind="transfomer")
    assert problem.place == "dc_bert_model_config.last_layer_model_type"
    assert "there is no interaction 'transfomer'" in problem.message
    assert "models/dc_bert.py (which is not there)" in problem.message
    assert "Did you mean 'transformer'?" in problem.hint and "--plugin" in problem.hint
    folder(OWN)
    (problem,) = problems(kind="dotz")
    assert "Did you mean 'Dots'?" in problem.hint


def test_a_built_in_name_never_reads_the_file(folder):
    folder("raise RuntimeError('read')")
    assert dc_bert(kind="LSTM").model.config.last_layer_model_type == "lstm"


@pytest.mark.parametrize(
    ("change", "said", "line"),
    [
        (("* self.scale", "* self.scales"), "Dots.forward fails: AttributeError", 11),
        (("super().__init__()", "super().__init__(); 1 / 0"), r"Dots\(config\) fails: Zero", 7),
        (("* self.scale", ""), r"Dots.forward gives \(2, 1\) for 2 rows", None),
        (("import torch\n", "import torh\n"), "the plugin fails when it is imported", 2),
    ],
)
def test_a_faulty_class_is_one_message_with_its_line(folder, change, said, line):
    folder(OWN.replace(*change))
    (problem,) = problems(kind="Dots")
    assert re.search(said, problem.message)
    assert problem.place.startswith("models/dc_bert.py")
    assert line is None or problem.place.endswith(f"line {line}")


def test_another_file_than_that_of_training_is_told(folder, caplog):
    from chatstill.models.networks.dc_bert.model import DcBertForSequenceClassification

    folder(OWN)
    config = dc_bert(kind="Dots").model.config
    assert "is not as it was" not in caplog.text
    config.interaction_code = "0" * 64
    DcBertForSequenceClassification(config)
    assert "models/dc_bert.py is not as it was when this network was trained" in caplog.text


def test_what_is_stored_of_a_teacher_depends_on_the_class_that_it_is_made_with(folder):
    folder(OWN)
    first = code_of(dc_bert(kind="Dots").model)
    assert re.fullmatch("[0-9a-f]{64}", first)
    folder(OWN + "\n# another one\n")
    assert code_of(dc_bert(kind="Dots").model) != first
    assert code_of(dc_bert(kind="linear").model) == ""


@torch.no_grad()
def test_the_worked_example_is_late_interaction(monkeypatch):
    """Each query token's best cosine among the reply's tokens, their mean, and a line for each output."""
    monkeypatch.chdir(ROOT)
    model = jittered(dc_bert(kind="MaxSim").model)
    form = model.interaction
    generator = torch.Generator().manual_seed(4)
    query, reply = (torch.randn(1, n, 16, generator=generator) for n in (4, 5))
    mask, other = torch.tensor([[1, 1, 1, 0]]), torch.tensor([[1, 1, 0, 0, 0]])
    weight = numbers(form.project.weight)
    sides = [numbers(side[0, :n]) @ weight.T for side, n in ((query, 3), (reply, 2))]
    q, d = (side / (side**2).sum(1, keepdims=True) ** 0.5 for side in sides)
    score = (q @ d.T).max(1).mean()
    expected = score * numbers(form.output.weight)[:, 0] + numbers(form.output.bias)
    assert model.interact(query, mask, reply, other)[0].tolist() == pytest.approx(
        expected.tolist(), abs=1e-5
    )

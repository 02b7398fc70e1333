"""Methods by name and directory, and the blocks of a file that belong to them."""

import json
import shutil

import pytest

from chatstill import lookup
from chatstill.errors import UserError
from chatstill.methods.matches import Config
from tests.found import holds, refused

from .conftest import ROOT

PLUGIN = """
from pydantic import Field
from chatstill.methods.base import Method, MethodConfig

class Config(MethodConfig):
    strength: float = Field(default=0.5, ge=0)
    target: str

class Mine(Method):
    Config = Config
    block = "mine"
    top_level = ("strength",)
"""


@pytest.fixture
def own(world):
    """A method from outside the package: a plugin and its JSON file."""
    (world.folder / "mine.py").write_text(PLUGIN, encoding="utf-8")
    file = {"model_type": "my-way", "method": "mine", "aliases": ["mw"], "defaults": {"seed": 5}}
    (world.folder / "my_way.json").write_text(json.dumps(file), encoding="utf-8")
    del world.values["model_type"]
    world.values |= {
        "plugins": ["mine.py"],
        "configuration_file": "my_way.json",
        "mine": {"target": "x"},
    }
    return world


def test_a_missing_block_is_printed_for_pasting(world):
    del world.values["theseus_scheduler"]
    (problem,) = world.problems()
    assert holds(problem, ("method.block-missing", "'theseus_scheduler'", "'theseus-bert'"))
    pasted = problem.hint.partition("\n")[2]
    world.values |= json.loads("{" + pasted + "}")
    assert world.load().config.method.scheduler_linear_k == "auto"


def test_faults_in_another_methods_block_are_warnings(world):
    world.values["dc_bert_model_config"] = {"last_layer_model_typ": "transformer"}
    (warning,) = world.load().warnings
    assert warning.severity == "warning"
    assert "Did you mean 'last_layer_model_type'?" == warning.hint
    world.values["dc_bert_model_config"] = 3
    assert world.load().warnings[0].code == "config.wrong-value"


def test_what_stands_there_for_other_methods_is_named(world):
    assert world.load().idle == ("dc_bert_model_config",)
    world.values["model_type"] = "dc-bert"
    assert world.load().idle == ("theseus_scheduler",)
    del world.values["theseus_scheduler"]
    world.values["successor_init"] = "first"
    assert world.load().idle == ("successor_init",), (
        "as it was written, not the block it belongs in"
    )
    del world.values["successor_init"]
    assert world.load().idle == (), "what a method's file brings is nobody's"


def test_faults_in_the_running_methods_block_are_errors(world):
    world.values["theseus_scheduler"] |= {"scheduler_linear_k": "soon", "replacing_rate": 0}
    world.values["theseus_scheduler"] |= {"scheduler_type": "linnear"}
    found = {p.message: p for p in world.problems()}
    key = "theseus_scheduler.scheduler_linear_k"
    problem = found[f'\'{key}\' must be a number or "auto", found the text "soon".']
    assert problem.place == world.place("scheduler_linear_k")
    assert "'theseus_scheduler.replacing_rate' must be above 0, found the number 0." in found
    text = '\'theseus_scheduler.scheduler_type\' must be "linear" or "constant", found the text "linnear".'
    assert found[text].hint == 'Did you mean "linear"?'


def test_a_check_of_the_method_itself_is_said_in_its_words(world):
    world.values["theseus_scheduler"]["scheduler_linear_k"] = -1
    assert holds(world.report(), ("config.refused-value", "'theseus_scheduler.scheduler_linear_k'"))


def test_top_level_knobs_may_stand_at_the_top_but_not_in_both_places(world):
    world.values["successor_num_train_epochs"] = 2
    loaded = world.load()
    assert loaded.config.method.successor_num_train_epochs == 2
    assert loaded.origins["theseus_scheduler.successor_num_train_epochs"].startswith("my.json:")
    assert world.load("successor_init=evenly").config.method.successor_init == "evenly"
    world.values["theseus_scheduler"]["successor_init"] = "first"
    world.values["successor_init"] = "evenly"
    assert holds(world.report(), ("method.key-at-two-places", "'successor_init'"))


def test_set_at_the_top_goes_before_the_files_block(world):
    world.values["theseus_scheduler"]["successor_init"] = "first"
    assert world.load("successor_init=evenly").config.method.successor_init == "evenly"


def test_the_shipped_method_files_are_found_from_a_clone():
    files = lookup.method_files()
    assert "theseus-bert" in files
    for file in files.values():
        block = "pipeline" if file.chain else lookup.method(file.method).block
        assert block in {"", *file.example}
    assert sorted(ROOT.glob("config/models_config/*.json")) == sorted(
        file.path for file in files.values()
    )


def test_every_module_of_methods_carries_a_method():
    names = lookup.method_names()
    assert {"theseus", "finetune"} <= set(names)
    for name in names:
        assert lookup.method(name).Config is not None


def test_an_unknown_method_names_the_nearest():
    with refused("method.unknown", "'tesheus'", "'theseus'"):
        lookup.method("tesheus")


def test_a_name_that_begins_several_methods_names_them_all(world):
    world.values["model_type"] = "TinyBERT"
    (problem,) = [p for p in world.problems() if "model_type" in p.message]
    meant = [
        f"'TinyBert{name}'" for name in ("GeneralDistill", "TaskDistillStep1", "TaskDistillStep2")
    ]
    assert f"Did you mean {' or '.join(meant)}?" in problem.message


def test_a_term_with_a_name_misspelt_or_beside_the_terms_is_led_home(world):
    world.values["model_type"] = "KD"
    world.values["distillation"] = {
        "soft": {"weight": 1},
        "hrad": {"weight": 1},
        "terms": {"sotf": {"weight": 1}, "states": {"loss": "mse"}},
    }
    found = {p.message: p.hint for p in world.problems()}
    assert found["unknown key 'soft' in distillation."] == "It belongs in distillation.terms."
    assert found["unknown key 'hrad' in distillation."] == (
        "Did you mean 'hard' in distillation.terms?"
    )
    assert found["'distillation.terms.sotf' lacks 'feature' and 'loss'."] == (
        "Did you mean 'soft'? A new entry needs 'feature' and 'loss'."
    )
    assert found["'distillation.terms.states' lacks 'feature'."] == ""


@pytest.mark.parametrize("key", ["weight", "temperature"])
def test_a_number_without_end_is_refused(key, world):
    world.values["model_type"] = "KD"
    world.values["distillation"] = {}
    path = f"distillation.terms.soft.{key}"
    assert f"'{path}'" in world.report(f"{path}=1e400")


def test_keys_of_the_pretraining_level_may_be_off(world):
    world.values["model_type"] = "KD"
    world.values["distillation"] = {"restrict_ce_to_mask": False, "alpha_mlm": 0}
    assert world.load().config.method.restrict_ce_to_mask is False
    world.values["distillation"] = {"restrict_ce_to_mask": True}
    assert "[config.refused-value]" in world.report()


def test_an_entry_that_lacks_keys_is_no_matter_where_another_method_runs(world):
    world.values["distillation"] = {"terms": {"soft": {"weight": 1}}}
    assert world.load().warnings == []


def test_a_users_folder_goes_first(world):
    folder = world.folder / "config" / "models_config"
    folder.mkdir(parents=True)
    file = {"model_type": "theseus-bert", "method": "theseus", "defaults": {"learning_rate": 9e-5}}
    (folder / "mine.json").write_text(json.dumps(file), encoding="utf-8")
    loaded = world.load()
    assert loaded.config.learning_rate == 9e-5
    assert loaded.origins["learning_rate"] == "config/models_config/mine.json"


def test_a_user_may_take_a_short_name_and_keep_the_built_in_method(world):
    folder = world.folder / "config" / "models_config"
    folder.mkdir(parents=True)
    file = {"model_type": "mine", "method": "theseus", "aliases": ["theseus"]}
    (folder / "mine.json").write_text(json.dumps(file), encoding="utf-8")
    assert world.load("model_type=Theseus").config.model_type == "mine"
    assert world.load("model_type=bert-of-theseus").config.model_type == "theseus-bert"


def test_an_installed_wheel_brings_its_method_files(tmp_path, monkeypatch):
    inside = tmp_path / "site-packages" / "chatstill"
    shutil.copytree(ROOT / "config", inside / "_config")
    shutil.copytree(lookup._PACKAGE / "methods", inside / "methods")
    monkeypatch.setattr(lookup, "_PACKAGE", inside)
    monkeypatch.chdir(tmp_path)
    file = lookup.method_files()["theseus-bert"]
    assert file.path.is_relative_to(inside)
    assert file.label == "config/models_config/BertOfTheseus.json"


def test_two_files_that_claim_one_name_are_an_error(world):
    folder = world.folder / "config" / "models_config"
    folder.mkdir(parents=True)
    for name, aliases in (("a", ["Same-Name"]), ("b", ["same_name"])):
        file = {"model_type": name, "method": "theseus", "aliases": aliases}
        (folder / f"{name}.json").write_text(json.dumps(file), encoding="utf-8")
    report = world.report()
    assert (
        "[method.name-claimed-twice]" in report
        and "'same_name'" in report
        and "config/models_config/a.json" in report
    )


FILES = {
    "not JSON": ("{", "not JSON"),
    "a list": ("[]", "method.file-is-no-block"),
    "no method": ('{"model_type": "a"}', "method.file-key-missing"),
    "a slip": (
        '{"model_type": "a", "method": "theseus", "alias": []}',
        ("method.file-unknown-key", "'aliases'?"),
    ),
    "wrong kind": ('{"model_type": "a", "method": 3}', ("method.file-wrong-type", "'method'")),
    "a key twice": (
        '{"model_type": "a", "task_ce": 1, "task_ce": 0}',
        ("method.file-key-twice", "'task_ce'"),
    ),
    "an unknown key": ('{"model_type": "a", "zzzz": 1}', "hidden_mse, hidden_cos, use_att"),
    "unknown method": ('{"model_type": "a", "method": "x"}', "no method 'x'"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_faulty_method_file_is_named(kind, world):
    text, message = FILES[kind]
    (world.folder / "m.json").write_text(text, encoding="utf-8")
    world.values["configuration_file"] = "m.json"
    del world.values["model_type"]
    report = world.report()
    assert ("configuration_file" if kind == "unknown method" else "m.json") in report
    assert holds(report, message)


def test_a_method_of_ones_own(own):
    loaded = own.load()
    assert (loaded.config.model_type, loaded.config.method_name) == ("my-way", "mine")
    assert loaded.config.method.strength == 0.5
    assert loaded.config.seed == 5
    assert loaded.origins["seed"] == "my_way.json"
    assert loaded.method_class.block == "mine"
    assert own.load("strength=0.75").config.method.strength == 0.75
    assert own.load("model_type=MW").config.model_type == "my-way"


def test_a_method_file_by_its_bare_name(own):
    folder = own.folder / "config" / "models_config"
    folder.mkdir(parents=True)
    (own.folder / "my_way.json").rename(folder / "my_way.json")
    assert own.load().config.model_type == "my-way"
    assert own.load("configuration_file=my_way").config.model_type == "my-way"
    assert own.load("configuration_file=...", "model_type=my-way").config.model_type == "my-way"


def test_a_block_without_defaults_is_printed_with_what_to_fill_in(own):
    del own.values["mine"]
    (problem,) = own.problems()
    assert '"target": "..."' in problem.hint and '"strength": 0.5' in problem.hint


def test_model_type_and_configuration_file_that_disagree(own):
    own.values["model_type"] = "theseus-bert"
    assert holds(own.report(), ("method.file-of-another-type", "'my-way'", "'theseus-bert'"))


def test_a_configuration_file_that_is_not_there(world):
    world.values["configuration_file"] = "nowhere.json"
    (problem,) = world.problems()
    assert problem.place == world.place("configuration_file")
    assert problem.code == "method.file-missing" and "'nowhere.json'" in problem.message


def test_the_placeholder_of_configuration_file_counts_only_while_model_type_is_known(world):
    assert world.load().config.configuration_file is None
    world.values["model_type"] = "mine"
    report = world.report()
    assert holds(report, ("method.unknown", "'mine'"))
    assert "[method.unknown]" in report and '"configuration_file": "my_method.json"' in report


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("1/0", "ZeroDivisionError"),
        ("def f(:", "SyntaxError"),
    ],
)
def test_a_plugin_that_fails_is_named(text, message, own):
    (own.folder / "broken.py").write_text(text, encoding="utf-8")
    own.values["plugins"] = ["mine.py", "broken.py"]
    report = own.report()
    assert (
        "broken.py: line 1" in report
        and f": the plugin fails when it is imported: {message}" in report
    )


def test_a_plugin_that_is_not_there(own):
    own.values["plugins"] = ["mine.py", "nowhere.py"]
    own.values["task_name"] = "one-of-nowhere"
    report = own.report()
    assert "[plugin.missing]" in report and "nowhere.py" in report
    assert "one-of-nowhere" not in report, "the task may be in the plugin that fails"


def test_teach_needs_no_model_type(world):
    del world.values["model_type"]
    del world.values["theseus_scheduler"]
    loaded = world.load(verb="teach")
    assert (loaded.config.model_type, loaded.config.method_name) == (None, "finetune")
    checked = world.load(verb="check")
    assert checked.verb == "teach"
    assert checked.warnings[0].code == "config.checked-as-teach"


def test_in_teach_the_blocks_of_other_methods_are_warnings(world):
    world.values["theseus_scheduler"]["replacing_rate"] = 3
    (warning,) = world.load(verb="teach").warnings
    assert holds(warning, ("config.wrong-value", "'theseus_scheduler.replacing_rate'"))


def test_evaluate_needs_no_method_and_no_file(world):
    from chatstill.config import load

    loaded = load(None, ["task_name=ChatQA"], verb="evaluate")
    assert loaded.config.task_name == "chat"
    assert loaded.config.method is None
    with pytest.raises(UserError, match="--task-name chat"):
        load(None, [], verb="evaluate")
    assert load(None, [], verb="predict").config.task_name == ""


@pytest.mark.parametrize("grouping", [[1, 2, 3], [[0], [1, 2], [3, 4, 5]]])
def test_a_grouping_is_by_size_or_by_layer(world, grouping):
    """Both are what the message about layers that cannot be shared out evenly offers."""
    world.values["theseus_scheduler"]["grouping"] = grouping
    found = world.load().config.method.grouping
    assert json.loads(json.dumps(found)) == grouping


def test_pairs_of_ones_own_put_the_files_layer_map_out_of_force(world):
    del world.values["theseus_scheduler"]
    world.values["model_type"] = "TinyBertTaskDistillStep1"
    terms = {"hidden": {"pairs": [[0, 0], [1, 2]]}, "attention": {"weight": 0}}
    world.values["distillation"] = {"terms": terms}
    rows = world.load().config.method.terms
    assert rows["hidden"].pairs == ((0, 0), (1, 2)) and rows["hidden"].layer_map is None
    assert rows["attention"].layer_map == "linear"


SOFT = ("logits", "kl", 10, 0.5)
HARD = ("logits", "hard", None, 0.5)
SHIPPED = {
    "KD": {"soft": SOFT, "hard": HARD},
    "TAKD-BertDistill": {"soft": SOFT, "hard": HARD},
    "PKD-BertDistill": {"soft": SOFT, "hard": HARD, "patience": ("cls", "patience", None, 100)},
    "TinyBertTaskDistillStep1": {
        "hidden": ("hidden_states", "mse", None, 1),
        "attention": ("attention_scores", "mse", None, 1),
    },
    "TinyBertTaskDistillStep2": {"prediction": ("logits", "cross_entropy", 1, 1)},
}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_values(name):
    file = lookup.method_files()[name]
    block = file.defaults["distillation"]
    config = Config.model_validate({"terms": block["terms"]})
    rows = config.rows()
    found = {key: (r.feature, r.loss, r.temperature, r.weight) for key, r in rows.items()}
    assert found == SHIPPED[name]
    if "patience" in rows:
        assert (rows["patience"].layer_map, rows["patience"].reduction) == ("skip", "mean")
    if "hidden" in rows:
        assert (rows["hidden"].layer_map, rows["hidden"].projection) == ("linear", "shared")
        assert file.defaults["num_train_epochs"] == 20
    assert "learning_rate" not in file.defaults, "it goes by the student's width and start"


def test_faults_of_a_method_file_have_its_lines_and_come_behind_those_of_the_file(world):
    lines = [
        '{"model_type": "Mine",',
        ' "terms": {"a": {"feature": "logits", "loss": "kll", "weight": 1},',
        '           "b": {"feature": "hidden_states", "loss": "mse", "wait": 1}},',
        ' "defaults": {"distillation": {"temperature": 0}}}',
    ]
    (world.folder / "m.json").write_text("\n".join(lines), encoding="utf-8")
    del world.values["model_type"], world.values["theseus_scheduler"]
    world.values |= {"configuration_file": "m.json", "learning_rate": "x"}
    places = [problem.place for problem in world.problems()]
    assert places[0] == world.place("learning_rate")
    assert places[1:] == [
        f"m.json: line {line}, column {column}" for line, column in ((2, 39), (3, 61), (4, 32))
    ]


def test_what_the_user_s_file_says_of_a_term_keeps_its_own_place(world):
    text = (
        '{"model_type": "Mine", "terms": {"a": {"feature": "logits", "loss": "kl", "weight": 1}}}'
    )
    (world.folder / "m.json").write_text(text, encoding="utf-8")
    del world.values["model_type"], world.values["theseus_scheduler"]
    world.values |= {"configuration_file": "m.json"}
    world.values["distillation"] = {"terms": {"a": {"weight": -1}}}
    (problem,) = world.problems()
    assert problem.place == world.place("weight")

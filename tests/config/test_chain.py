"""One file, several runs: each has the file's keys with its own on top."""

import json
from pathlib import Path

import pytest

from chatstill.config import load, load_chain
from chatstill.errors import UserError
from tests.elmo_by_hand import write_elmo
from tests.found import codes, holds

from .conftest import EXAMPLE


@pytest.fixture
def chain(world):
    """A world whose file is a pipeline of two links; ``chain.load()`` gives the chain."""
    world.values["output_dir"] = "out"
    world.values["pipeline"] = [
        {"name": "step1", "learning_rate": 1e-3, "note": "first"},
        {
            "name": "step2",
            "teacher_architectures": {"model_name_or_path": "link:step1"},
            "theseus_scheduler": {"replacing_rate": 0.5},
        },
    ]

    class Chained:
        values = world.values
        links = world.values["pipeline"]

        def load(self, *overrides):
            return load_chain(world.write(), overrides, verb="distill")

        def problems(self, *overrides):
            try:
                return self.load(*overrides).warnings
            except UserError as error:
                return error.problems

        def report(self, *overrides):
            return "\n".join(f"{p.severity}: {p}\n[{p.code}]" for p in self.problems(*overrides))

        def line(self, text):
            lines = json.dumps(self.values, indent=2, ensure_ascii=False).split("\n")
            found = [n + 1 for n, line in enumerate(lines) if text in line]
            assert len(found) == 1, found
            return found[0]

    return Chained()


def test_a_file_without_pipeline_is_no_chain(world):
    assert load_chain(world.write(), [], verb="distill") is None


def test_every_link_is_a_run_in_its_own_folder(chain):
    found = chain.load()
    assert [link.name for link in found.links] == ["step1", "step2"]
    assert [link.loaded.config.output_dir for link in found.links] == ["out/step1", "out/step2"]
    assert [link.loaded.config.cache_dir for link in found.links] == ["out/cache"] * 2
    assert str(found.folder) == "out"
    assert found.arguments == ["distill", "my.json"]


def test_a_links_own_keys_go_over_the_files(chain):
    first, second = chain.load().links
    assert first.loaded.config.learning_rate == 1e-3
    assert second.loaded.config.learning_rate is None, "the file says nothing"
    assert first.loaded.config.method.replacing_rate == 0.3
    assert second.loaded.config.method.replacing_rate == 0.5
    assert second.loaded.config.method.scheduler_linear_k == 0.0006, "the file's, in one block"
    origins = second.loaded.origins
    line = chain.line('"replacing_rate": 0.5')
    assert origins["theseus_scheduler.replacing_rate"] == f"my.json:{line}"
    assert origins["task_name"].startswith("my.json:")


def test_a_links_network_takes_the_place_of_the_files(chain):
    """An architecture is one network: half of it from elsewhere would be another one."""
    chain.values["teacher_architectures"]["num_hidden_layers"] = 4
    first, second = chain.load().links
    assert first.loaded.config.teacher_architectures.num_hidden_layers == 4
    teacher = second.loaded.config.teacher_architectures
    assert (teacher.model_name_or_path, teacher.num_hidden_layers) == ("out/step1/student", None)
    assert second.after == ("step1",)
    assert first.after == ()


def test_the_network_of_a_taught_link_is_its_teacher(chain):
    chain.links[0]["verb"] = "teach"
    first, second = chain.load().links
    assert (first.verb, second.verb) == ("teach", "distill")
    assert second.loaded.config.teacher_architectures.model_name_or_path == "out/step1/teacher"
    assert str(first.kept) == "out/step1/teacher"


def test_set_changes_the_file_or_one_link(chain):
    first, second = chain.load("num_train_epochs=7", "learning_rate=1").links
    assert first.loaded.config.num_train_epochs == second.loaded.config.num_train_epochs == 7
    assert first.loaded.config.learning_rate == 1e-3, "its own stays on top"
    assert second.loaded.config.learning_rate == 1
    first, second = chain.load("pipeline.step1.learning_rate=0.5").links
    assert first.loaded.config.learning_rate == 0.5
    assert first.loaded.origins["learning_rate"] == "--set"
    assert second.loaded.config.learning_rate is None
    assert chain.load("output_dir=other").links[1].loaded.config.output_dir == "other/step2"


def test_a_link_whose_network_no_later_one_reads_is_warned_of(chain):
    assert "[chain.link-not-read]" not in chain.report()
    del chain.links[1]["teacher_architectures"]
    (problem,) = [p for p in chain.problems() if "no later link" in p.message]
    assert problem.severity == "warning" and "'step1'" in problem.message
    assert '"link:step1"' in problem.hint


def test_a_faulty_link_may_be_the_one_that_reads_a_network(chain):
    """The first link's network is read by the third alone, which is faulty."""
    third = dict(chain.links[1], name="step3")
    chain.links[1] = {"name": "step2", "learning_rate": 1e-3}
    chain.links.append(third)
    unread = [p for p in chain.problems() if p.code == "chain.link-not-read"]
    assert len(unread) == 1 and "'step2'" in unread[0].message
    third["learning_rat"] = 1e-3
    assert "learning_rat" in chain.report() and "[chain.link-not-read]" not in chain.report()


def test_set_for_a_link_that_is_not_there(chain):
    assert holds(
        chain.report("pipeline.step3.seed=1"), ("chain.override-of-no-link", "step1, step2")
    )


FAULTS = {
    "a later link": (1, {"teacher_architectures": {"model_name_or_path": "link:step2"}}, "no link"),
    "a misspelt link": (
        1,
        {"teacher_architectures": {"model_name_or_path": "link:stp1"}},
        "Did you mean 'link:step1'?",
    ),
    "the same name": (1, {"name": "step1"}, "the name 'step1' is taken"),
    "a kept name": (1, {"name": "cache"}, "the name 'cache' is taken"),
    "a file of the chain": (1, {"name": "metrics.json"}, "the name 'metrics.json' is taken"),
    "its report": (1, {"name": "report.html"}, "keeps its own files and folders under that name"),
    "its record": (1, {"name": "run.json"}, "the name 'run.json' is taken"),
    "its lock": (1, {"name": "run.lock"}, "the name 'run.lock' is taken"),
    "a file in capitals": (1, {"name": "Metrics.JSON"}, "the name 'Metrics.JSON' is taken"),
    "a folder in capitals": (1, {"name": "Cache"}, "the name 'Cache' is taken"),
    "a run's folder": (1, {"name": "checkpoints"}, "the name 'checkpoints' is taken"),
    "the direct run's": (1, {"name": "Direct"}, "the name 'Direct' is taken"),
    "a name in another case": (1, {"name": "Step1"}, "that of 'step1' would be one"),
    "a hidden name": (1, {"name": ".step2"}, "can't name a link"),
    "a name too long for a folder": (1, {"name": "s" * 300}, "can't name a link"),
    "a path as a name": (1, {"name": "../x"}, "can't name a link"),
    "a pipeline in a link": (0, {"pipeline": []}, "'pipeline' can't stand in a link"),
    "a folder of its own": (0, {"output_dir": "x"}, "'output_dir' can't stand in a link"),
    "another verb": (0, {"verb": "evaluate"}, "a link can distill or teach"),
    "an unknown key": (0, {"learning_rte": 1}, "Did you mean 'learning_rate'?"),
    "a network that is not there": (
        1,
        {"student_architectures": {"model_name_or_path": "./nowhere"}},
        "there is no file or folder ./nowhere",
    ),
    "a method that is not there": (1, {"model_type": "tesheus"}, "Did you mean 'theseus-bert'?"),
    "a link as a config file": (
        1,
        {"student_architectures": {"config_file": "link:step1"}},
        "can only stand as a model_name_or_path",
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_of_a_link_is_said_with_its_line(fault, chain):
    number, values, message = fault
    chain.links[number].update(values)
    found = [p for p in chain.problems() if p.severity == "error"]
    assert len(found) == 1, found
    assert message in str(found[0])
    assert found[0].place.startswith("my.json: line")


@pytest.mark.parametrize("name", ["student", "teacher", "assistant", "a.b", "report"])
def test_names_that_are_free_stay_free(name, chain):
    chain.links[1]["name"] = name
    assert [link.name for link in chain.load().links] == ["step1", name]


def test_all_links_faults_come_at_once_and_the_files_once(chain):
    chain.values["per_gpu_eval_batch_size"] = -1
    chain.links[0]["max_steps"] = "x"
    chain.links[1]["bf16"] = 3
    found = [p for p in chain.problems() if p.severity == "error"]
    assert len(found) == 3
    lines = [int(p.place.split("line ")[1].split(",")[0]) for p in found]
    assert lines == [
        chain.line(f'"{key}":') for key in ("max_steps", "bf16", "per_gpu_eval_batch_size")
    ]


def test_what_every_link_lacks_is_said_once(chain):
    del chain.values["task_name"]
    report = chain.report()
    assert report.count("[config.key-missing]") == 1 and "'task_name'" in report


def test_what_one_link_lacks_names_the_link(chain):
    del chain.values["teacher_architectures"]
    report = chain.report()
    assert report.count("[teacher.block-missing]") == 1 and "link step1: " in report


def test_links_that_are_no_blocks(chain):
    chain.values["pipeline"] = [3, {"name": "a"}]
    assert "[chain.link-is-no-block]" in chain.report()
    chain.values["pipeline"] = {"name": "a"}
    assert "[chain.pipeline-is-no-list]" in chain.report()


def test_direct_is_the_last_link_with_the_first_teacher(chain):
    chain.values["compare_direct"] = True
    *_, second, direct = chain.load().links
    assert direct.name == "direct"
    assert direct.loaded.config.output_dir == "out/direct"
    assert direct.loaded.config.teacher_architectures.model_name_or_path == "teacher"
    assert direct.after == ()
    one, other = second.loaded.config.model_dump(), direct.loaded.config.model_dump()
    differing = {key for key in one if one[key] != other[key]}
    assert differing == {"output_dir", "teacher_architectures"}


@pytest.mark.parametrize("key", ["compare_direct", "compare_alone"])
def test_what_is_compared_reads_the_teacher_as_its_own_link_does(chain, key):
    """The last link's teacher is an assistant, whose outputs are of another kind."""
    chain.links[0]["teacher_output"] = "probability"
    chain.values[key] = True
    first, second, compared = chain.load().links
    assert first.loaded.config.teacher_output == compared.loaded.config.teacher_output
    assert compared.loaded.config.teacher_output == "probability"
    assert second.loaded.config.teacher_output is None


def test_direct_is_the_last_link_as_it_is_run(chain):
    chain.values["compare_direct"] = True
    overrides = ["pipeline.step2.num_train_epochs=9", "pipeline.step2.learning_rate=0.5"]
    *_, second, direct = chain.load(*overrides, "pipeline.direct.learning_rate=0.25").links
    assert second.loaded.config.num_train_epochs == direct.loaded.config.num_train_epochs == 9
    assert (second.loaded.config.learning_rate, direct.loaded.config.learning_rate) == (0.5, 0.25)


def test_compare_direct_is_true_or_false(chain):
    chain.values["compare_direct"] = "true"
    assert holds(chain.report(), ("chain.compare-direct-wrong-value", 'text "true"'))
    chain.values["compare_direct"] = False
    assert [link.name for link in chain.load().links] == ["step1", "step2"]


def test_direct_needs_an_assistant(chain):
    chain.values["compare_direct"] = True
    chain.links[1] = {
        "name": "step2",
        "student_architectures": {"model_name_or_path": "link:step1"},
    }
    assert "[chain.nothing-to-compare-directly]" in chain.report()


def test_placeholders_count_as_not_set_in_links_too(chain):
    chain.links[1]["student_architectures"] = {"model_name_or_path": "...", "config_file": "..."}
    assert chain.load().links[1].loaded.config.student_architectures.config_file is None


def test_names_by_number_where_none_is_given(chain):
    del chain.links[0]["name"]
    chain.links[1]["teacher_architectures"]["model_name_or_path"] = "link:link1"
    assert [link.name for link in chain.load().links] == ["link1", "step2"]


ASSISTANTS = [
    {"name": "assistant", "student_architectures": {"num_hidden_layers": 4}},
    {"name": "middle", "student_architectures": {"num_hidden_layers": 3}},
    {"name": "student", "student_architectures": {"num_hidden_layers": 2}},
]


def test_each_assistant_teaches_the_next(chain):
    chain.values |= {"model_type": "TAKD", "pipeline": ASSISTANTS, "compare_direct": True}
    del chain.values["theseus_scheduler"]
    links = chain.load().links
    teachers = [link.loaded.config.teacher_architectures.model_name_or_path for link in links]
    assert teachers == ["teacher", "out/assistant/student", "out/middle/student", "teacher"]
    assert [link.after for link in links] == [(), ("assistant",), ("middle",), ()]
    assert {link.loaded.config.model_type for link in links} == {"TAKD-BertDistill"}


def test_a_link_may_name_another_teacher(chain):
    own = {"teacher_architectures": {"model_name_or_path": "link:assistant"}}
    chain.values |= {"model_type": "TAKD", "pipeline": [*ASSISTANTS[:2], {**ASSISTANTS[2], **own}]}
    links = chain.load().links
    assert links[2].after == ("assistant",)


def test_assistants_without_a_pipeline_are_told_what_to_paste(chain):
    chain.values["model_type"] = "TAKD-BertDistill"
    del chain.values["pipeline"]
    assert chain.load() is None
    with pytest.raises(UserError) as caught:
        load(Path("my.json"), [], verb="distill")
    (problem,) = [p for p in caught.value.problems if "chain of runs" in p.message]
    assert '"pipeline": [' in problem.hint and problem.place.startswith("my.json: line")


@pytest.mark.parametrize("name", ["takd", "tinybert", "few_labels"])
def test_the_shipped_examples_need_the_teacher_alone(name, world):
    rows = "text,label\ngood,1\nbad,0\n"
    for file in ("train", "dev", "unlabeled"):  # of few_labels; the others read the world's
        (world.folder / "data").mkdir(exist_ok=True)
        (world.folder / "data" / f"{file}.csv").write_text(rows, encoding="utf-8")
    path = EXAMPLE.with_name(f"distill.example.{name}.json")
    with pytest.raises(UserError) as caught:
        load_chain(path, [], verb="distill")
    found = [p for p in caught.value.problems if p.severity == "error"]
    assert len(found) == 1, found
    assert found[0].code == "config.placeholder" and "model_name_or_path'" in found[0].message
    filled = load_chain(path, ["teacher_architectures.model_name_or_path=teacher"], verb="distill")
    assert len(filled.links) == {"takd": 3, "tinybert": 2, "few_labels": 2}[name]


def test_compare_direct_without_a_pipeline_is_told(world):
    world.values["compare_direct"] = True
    assert "[chain.compare-direct-without-pipeline]" in world.report()


@pytest.fixture
def single(chain):
    """A file without a pipeline whose student is compared with one alone."""
    del chain.values["pipeline"], chain.values["theseus_scheduler"]
    chain.values |= {
        "model_type": "KD",
        "compare_alone": True,
        "num_train_epochs": 4,
        "student_architectures": {"num_hidden_layers": 2, "copy_layers": "last"},
        "distillation": {"terms": {"soft": {"temperature": 3}}},
    }
    return chain


def test_alone_is_the_same_student_on_gold_labels(single):
    student, alone = single.load().links
    assert (student.name, alone.name) == ("distilled", "alone")
    assert alone.loaded.config.output_dir == "out/alone"
    rows = alone.loaded.config.method.rows()
    assert {name: (row.loss, row.weight) for name, row in rows.items()} == {"hard": ("hard", 1)}
    one, other = student.loaded.config.model_dump(), alone.loaded.config.model_dump()
    changed = {key for key in one if one[key] != other[key]}
    assert changed == {"output_dir", "method", "skip_unlabeled"}
    assert other["student_architectures"]["copy_layers"] == "last"


@pytest.mark.parametrize(
    ("method", "written"),
    [
        ("StaticDistill", {}),
        ("StaticDistill", {"student_architectures": {"network": {"width": 8}}}),
        ("LSTMTaskDistill", {"rnn_config": {"layers": 2, "units": 7}}),
        ("ELMOTaskDistill", {"student_architectures": {"network": {"pooling": "max"}}}),
        ("PKD-BertDistill", {"pretrained_architectures": {"model_name_or_path": "teacher"}}),
    ],
)
def test_alone_is_the_student_that_the_methods_file_names(single, method, written):
    """Not the one that KD, which trains it on gold labels, would take."""
    del single.values["student_architectures"], single.values["distillation"]
    single.values |= {"model_type": method, **written}
    if method == "ELMOTaskDistill":
        write_elmo(Path())
    student, alone = (link.loaded.config for link in single.load().links)
    assert alone.student_architectures == student.student_architectures
    assert alone.student_architectures is not None
    assert [row.loss for row in alone.method.rows().values()] == ["hard"]


def test_alone_takes_keys_of_its_own(single):
    single.values["compare_alone"] = {"learning_rate": 0.5, "note": "a better rate"}
    student, alone = single.load("pipeline.alone.seed=9", "pipeline.distilled.seed=8").links
    assert (student.loaded.config.learning_rate, alone.loaded.config.learning_rate) != (0.5, 0.5)
    assert alone.loaded.config.learning_rate == 0.5
    assert (student.loaded.config.seed, alone.loaded.config.seed) == (8, 9)
    single.values["compare_alone"] = {"learning_rte": 0.5}
    assert holds(single.report(), ("config.unknown-key", "'learning_rte'"))


def test_compare_alone_is_true_false_or_a_block(single):
    single.values["compare_alone"] = "yes"
    single.values["pipeline"] = [{"name": "one"}]
    assert "[chain.compare-alone-wrong-value]" in single.report()
    del single.values["pipeline"]
    single.values["compare_alone"] = False
    assert single.load() is None


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        ({}, {}),
        ({"successor_init": "evenly"}, {"copy_layers": "evenly"}),
        ({"successor_init": "pretrained"}, {"copy_from": "pretrained"}),
    ],
)
def test_alone_starts_as_the_successors_of_theseus_do(single, scheduler, expected):
    del single.values["distillation"], single.values["student_architectures"]["copy_layers"]
    single.values["student_architectures"]["model_name_or_path"] = "teacher"
    single.values |= {"model_type": "theseus-bert", "theseus_scheduler": scheduler}
    _, alone = single.load().links
    block = alone.loaded.config.student_architectures.model_dump(exclude_none=True)
    assert block == {"num_hidden_layers": 2, **expected}
    pretrained = alone.loaded.config.pretrained_architectures
    assert (pretrained is not None) == (expected == {"copy_from": "pretrained"})


def test_alone_starts_where_the_first_of_several_links_started(chain):
    del chain.values["theseus_scheduler"]
    student = {"num_hidden_layers": 2, "copy_layers": "evenly"}
    chain.values |= {"compare_alone": True, "pipeline": [
        {"name": "one", "model_type": "TinyBertTaskDistillStep1", "num_train_epochs": 6,
         "student_architectures": student},
        {"name": "two", "model_type": "TinyBertTaskDistillStep2", "num_train_epochs": 3,
         "student_architectures": {"model_name_or_path": "link:one"}},
    ]}  # fmt: skip
    *_, alone = chain.load().links
    assert alone.name == "alone" and alone.after == ()
    assert alone.loaded.config.num_train_epochs == 9, "as many as both links together"
    own = alone.loaded.config.student_architectures.model_dump(exclude_none=True)
    assert own["copy_layers"] == "evenly" and own["num_hidden_layers"] == 2


TWO = [
    {"name": "one", "model_type": "TinyBertTaskDistillStep1",
     "student_architectures": {"num_hidden_layers": 2, "copy_layers": "evenly"}},
    {"name": "two", "model_type": "TinyBertTaskDistillStep2",
     "student_architectures": {"model_name_or_path": "link:one"}},
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ({}, {"num_train_epochs": 3}, {"num_train_epochs": 23}),  # 20 by its method's file
        ({"max_steps": 1000}, {"max_steps": 100}, {"max_steps": 1100}),
        ({}, {}, None),
        ({"max_steps": 1000}, {"num_train_epochs": 3}, None),
    ],
)
def test_alone_trains_as_long_as_the_links_together_or_a_warning_says_it(chain, one, two, expected):
    del chain.values["theseus_scheduler"]
    chain.values |= {"compare_alone": True, "pipeline": [TWO[0] | one, TWO[1] | two]}
    chain.values.pop("num_train_epochs", None), chain.values.pop("max_steps", None)
    loaded = chain.load()
    alone = loaded.links[-1].loaded.config
    for key, value in (expected or {}).items():
        assert getattr(alone, key) == value
    warned = [
        problem.severity for problem in loaded.warnings if problem.code == "chain.alone-trains-less"
    ]
    assert warned == ([] if expected else ["warning"])
    chain.values["compare_alone"] = {"num_train_epochs": 9}
    loaded = chain.load()
    assert loaded.links[-1].loaded.config.num_train_epochs == 9
    assert "chain.alone-trains-less" not in codes(loaded.warnings)


def test_alone_of_a_chain_of_assistants_stands_beside_the_direct_run(chain):
    both = {"compare_direct": True, "compare_alone": True}
    chain.values |= {"model_type": "TAKD", "pipeline": ASSISTANTS, **both}
    del chain.values["theseus_scheduler"]
    links = chain.load().links
    assert [link.name for link in links][-2:] == ["direct", "alone"]
    assert links[-1].loaded.config.teacher_architectures.model_name_or_path == "teacher"


@pytest.mark.parametrize("key", ["compare_alone", "compare_direct"])
def test_nothing_is_compared_where_nothing_is_scored(single, key):
    """The second training would be for nothing."""
    single.values |= {key: True, "do_eval": False}
    with pytest.raises(UserError) as caught:
        single.load()
    assert "chain.nothing-is-scored" in [problem.code for problem in caught.value.problems]

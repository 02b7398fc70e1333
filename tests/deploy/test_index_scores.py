"""What an index gives is what the network gives for the pair: in each form, in each dtype, after changes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from chatstill.deploy import change
from chatstill.deploy.held import possible
from chatstill.deploy.index import Index
from chatstill.deploy.numbers import bytes_per_row, packed, unpacked
from chatstill.errors import UserError
from tests.deploy.serving import QUERIES, REPLIES, Quiet, build, by_pairs, margins, plain, saved
from tests.found import refused
from tests.pages import ROOT

FORMS = {
    "keys": ("keys", {"kind": "transformer"}),
    "states, one layer": ("states", {"kind": "transformer"}),
    "states, two layers": ("states", {"kind": "transformer", "layers": 2}),
    "vectors of linear": ("vectors", {"kind": "linear"}),
    "vectors of lstm": ("vectors", {"kind": "lstm"}),
    "states of linear": ("states", {"kind": "linear"}),
    "keys, one way": ("keys", {"kind": "transformer", "attends": "one_way"}),
    "states, one way": ("states", {"kind": "transformer", "attends": "one_way", "layers": 2}),
    "keys, narrow": ("keys", {"kind": "transformer", "width": 6}),
    "states, narrow": ("states", {"kind": "transformer", "width": 6}),
    "one logit": ("keys", {"kind": "transformer", "outputs": 1}),
    "roberta": ("keys", {"kind": "transformer", "teacher": "roberta"}),
    "electra": ("states", {"kind": "transformer", "teacher": "electra"}),
    "distilbert": ("keys", {"kind": "transformer", "teacher": "distilbert"}),
}
CLOSE = {"fp16": 3e-3, "bf16": 3e-2, "int8": 6e-2}


@pytest.fixture(scope="module")
def model_of(tmp_path_factory):
    made = {}

    def folder(form):
        if form not in made:
            made[form] = saved(tmp_path_factory.mktemp("model"), **FORMS[form][1])
        return made[form]

    return folder


def differences(built, replies=REPLIES):
    found = []
    for query in QUERIES:
        wanted, ours = (
            by_pairs(built.served, query, replies),
            margins(built.served, built.index, query),
        )
        assert ours.keys() == wanted.keys()
        scale = max(abs(value) for value in wanted.values()) + 1
        found += [abs(ours[reply] - wanted[reply]) / scale for reply in replies]
    return max(found)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_scores_as_the_network_scores_pairs(form, model_of, tmp_path):
    built = build(model_of(form), tmp_path / "index", hold=FORMS[form][0])
    assert built.index.manifest.held == FORMS[form][0]
    assert differences(built) < CLOSE["fp16"]


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("form", ["keys", "states, two layers", "vectors of linear"])
def test_each_kind_of_numbers_stays_close(form, dtype, model_of, tmp_path):
    built = build(model_of(form), tmp_path / "index", dtype=dtype)
    assert differences(built) < CLOSE[dtype]
    assert (dtype == "int8") == any("int8 beside float32" in line for line in built.told.lines)


@pytest.mark.parametrize("form", ["keys", "states, two layers", "vectors of lstm"])
def test_after_adding_removing_and_compacting_the_scores_are_the_same(form, model_of, tmp_path):
    folder, desk = tmp_path / "index", Quiet().desk
    built = build(model_of(form), folder, REPLIES[:4])
    change.add(built.served, plain([*REPLIES[2:], "now"]), folder, desk)
    change.remove(folder, [REPLIES[0], "now"], desk)
    left = REPLIES[1:]
    changed = SimpleNamespace(served=built.served, index=Index(folder))
    before = {query: margins(built.served, changed.index, query) for query in QUERIES}
    assert differences(changed, left) < CLOSE["fp16"]
    change.compact(folder, desk)
    changed.index = Index(folder)
    for query in QUERIES:
        assert margins(built.served, changed.index, query) == pytest.approx(before[query], abs=1e-5)
    assert len(changed.index) == changed.index.num_rows == len(left)


def test_the_default_is_the_fastest_form_that_the_network_allows(model_of):
    from chatstill.deploy.network import open_network

    firsts = {form: possible(open_network(model_of(form)).model.config)[0] for form in FORMS}
    assert firsts["keys"] == "keys" and firsts["states, two layers"] == "states"
    assert firsts["vectors of linear"] == firsts["vectors of lstm"] == "vectors"


def test_an_interaction_of_ones_own_is_indexed_and_its_code_counts(tmp_path, monkeypatch):
    from chatstill.deploy.network import open_network
    from chatstill.models.networks.dc_bert.names import use_plugins

    file = tmp_path / "mine.py"
    file.write_text((ROOT / "models/dc_bert.py").read_text("utf-8"), encoding="utf-8")
    use_plugins([str(file)])
    folder = saved(tmp_path / "model", kind="MaxSim")
    served = open_network(folder, [str(file)])
    assert differences(build(served, tmp_path / "index")) < CLOSE["fp16"]
    with refused("index.cannot-be-held"):
        build(served, tmp_path / "other", hold="keys")
    monkeypatch.setattr("chatstill.deploy.network.code_of", lambda model: "changed")
    assert open_network(folder, [str(file)]).fingerprint != served.fingerprint
    use_plugins([])
    monkeypatch.chdir(tmp_path)  # a folder without models/dc_bert.py
    with refused("dc-bert.no-such-interaction", "MaxSim", "--plugin"):
        open_network(folder)


def test_texts_are_prepared_as_in_training_and_stored_as_they_are(model_of, tmp_path, monkeypatch):
    import json
    import shutil

    from chatstill.deploy.network import open_network

    folder = shutil.copytree(model_of("keys"), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "chatstill": {"preprocess": "t2s"}}))
    monkeypatch.setattr(
        "chatstill.deploy.network.preprocessor", lambda name: lambda text: text.replace("貓", "cat")
    )
    served = open_network(folder)
    built = build(served, tmp_path / "index", ["a red 貓", "sure"])
    ours = margins(served, built.index, "where is the 貓")
    wanted = by_pairs(served, "where is the cat", ["a red cat", "sure"])
    assert ours == pytest.approx(
        {"a red 貓": wanted["a red cat"], "sure": wanted["sure"]}, abs=1e-2
    )


@pytest.mark.parametrize(
    ("form", "hold"),
    [("states, two layers", "keys"), ("keys", "vectors"), ("vectors of lstm", "keys")],
)
def test_a_form_that_the_network_does_not_allow_is_refused(form, hold, model_of, tmp_path):
    with refused("index.cannot-be-held"):
        build(model_of(form), tmp_path / "index", hold=hold)
    assert not (tmp_path / "index").exists()


def test_replies_are_scored_alike_in_whatever_batches(model_of, tmp_path, monkeypatch):
    built = build(model_of("keys"), tmp_path / "index")
    whole = margins(built.served, built.index, QUERIES[0])
    monkeypatch.setattr("chatstill.deploy.index.BATCH_TOKENS", 1)
    for reply, value in margins(built.served, built.index, QUERIES[0]).items():
        assert value == pytest.approx(whole[reply], abs=1e-5)


def test_a_batch_of_neighbours_of_one_length_equals_rows_taken_one_by_one(model_of, tmp_path):
    texts = ["a cat", "red box", "go home", "ask me why", "you sing"]  # 4, 4, 4, 5, 4 tokens
    built = build(model_of("keys"), tmp_path / "index", texts)
    columns = built.served and built.index.manifest.columns
    shard = built.index.shards[0]
    kept = shard.kept(columns, np.arange(4), torch.device("cpu"))
    alone = [shard.kept(columns, np.array([row]), torch.device("cpu")) for row in range(4)]
    for column in columns:
        together = torch.cat([one.values(column.name) for one in alone])
        assert torch.equal(kept.values(column.name), together), column.name
    by_head = kept.values("keys").unflatten(-1, (2, 8)).transpose(1, 2)
    assert torch.equal(kept.heads("keys", 2), by_head) and kept.heads("keys", 2).is_contiguous()
    assert shard.tokens.tolist() == sorted(shard.tokens.tolist()) == [4, 4, 4, 4, 5]


@pytest.mark.parametrize("form", ["keys", "keys, one way", "states, narrow", "states, two layers"])
def test_pooled_replies_score_as_averaged_states_do(form, model_of, tmp_path):
    built = build(model_of(form), tmp_path / "index", hold=FORMS[form][0], pool=2)
    model = built.served.model
    for query in QUERIES[:2]:
        asked, ours = built.served.encode_query(query), margins(built.served, built.index, query)
        for reply in REPLIES:
            document = built.served.encode_replies([reply])
            rest = [part.mean(1) for part in document.stored[:, 1:].split(2, 1)]
            states = model.widen(torch.stack([document.stored[:, 0], *rest], 1))
            mask = torch.ones(states.shape[:2], dtype=torch.long)
            with torch.no_grad():
                logits = model.interact(asked.states, asked.mask, states, mask, pool=2)[0]
            assert ours[reply] == pytest.approx(float(logits[1] - logits[0]), abs=2e-2)
    plain = build(built.served, tmp_path / "plain", hold=FORMS[form][0]).index
    for mine, theirs in ((built.index.shards[0].tokens, plain.shards[0].tokens),):
        assert sorted(mine) == sorted(1 + -(-(count - 1) // 2) for count in theirs)
    assert any("pool 2 beside float32" in line for line in built.told.lines)


@pytest.mark.parametrize("form", ["vectors of linear", "vectors of lstm"])
def test_vectors_are_not_pooled(form, model_of, tmp_path):
    with refused("index.cannot-pool"):
        build(model_of(form), tmp_path / "index", pool=2)


def test_narrow_states_take_fewer_bytes(model_of, tmp_path):
    built = build(model_of("states, narrow"), tmp_path / "index", hold="states", dtype="int8")
    tokens = int(built.index.shards[0].tokens.sum())
    assert built.index.shards[0].tensors["states"].shape == (tokens, 6)
    assert built.index.shards[0].tensors["states"].dtype == torch.int8


# -- numbers ----------------------------------------------------------------------------------------


def test_int8_has_a_scale_for_each_row_and_is_off_by_half_a_step():
    values = torch.tensor([[1.0, -2.0, 0.5], [100.0, 3.0, -50.0], [0.0, 0.0, 0.0]])
    stored = packed("x", values, "int8")
    assert stored["x.scale"].tolist() == pytest.approx([2 / 127, 100 / 127, 0.0])
    assert stored["x"].tolist() == [[64, -127, 32], [127, 4, -64], [0, 0, 0]]
    back = unpacked(stored["x"], stored["x.scale"])
    assert torch.all((back - values).abs() <= stored["x.scale"][:, None] / 2 + 1e-6)
    assert bytes_per_row(3, "int8") == 3 + 4 and bytes_per_row(3, "fp16") == 6


def test_numbers_beyond_fp16_and_nan_are_refused_not_stored():
    with refused("index.beyond-fp16"):
        packed("x", torch.tensor([[70_000.0]]), "fp16")
    assert float(packed("x", torch.tensor([[70_000.0]]), "bf16")["x"]) == pytest.approx(
        7e4, rel=0.01
    )
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(UserError):
            packed("x", torch.tensor([[wrong]]), "bf16")

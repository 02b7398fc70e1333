"""Where the hub cannot be reached: one question, and the folder to fill."""

import contextlib
import http.server
import json
import threading

import pytest

from chatstill.errors import UserError
from chatstill.registry import hub
from chatstill.tasks.tabular import TabularTask
from chatstill.tasks.tabular_keys import DataKeys
from tests.found import refused

BLOCK = {"text": "text", "label": "label"}


@pytest.fixture
def unreachable(monkeypatch, tmp_path):
    """A hub whose port nobody listens on, and an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub, "_no_answer", [])
    for name in hub._OFFLINE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)


def test_a_model_names_the_folder_to_fill(unreachable):
    from chatstill.config.schema import Architecture
    from chatstill.models.architecture import load_config

    with pytest.raises(UserError) as caught:
        load_config(Architecture(model_name_or_path="some/model"), "teacher", None)
    text = str(caught.value)
    assert "asked http://127.0.0.1:9" in text and "into the folder ./some/model" in text
    assert "HF_ENDPOINT" in text and "HF_HUB_OFFLINE=1" in text


def test_weights_of_an_architecture_given_by_a_file_are_asked_for_once(
    unreachable, tmp_path, monkeypatch
):
    """Of weights several names are tried, each with retries: nothing may come to that."""
    from transformers import BertConfig, PreTrainedModel

    from chatstill.config.schema import Architecture
    from chatstill.models.load import load_classifier

    def asked(*args, **kwargs):
        raise AssertionError("the hub was asked file by file")

    monkeypatch.setattr(PreTrainedModel, "from_pretrained", asked)
    (tmp_path / "own.json").write_text(BertConfig().to_json_string(), encoding="utf-8")
    block = Architecture(model_name_or_path="some/model", config_file=str(tmp_path / "own.json"))
    how = {"num_labels": 2, "label_names": None, "problem": "classification"}
    with refused("hub.not-reached", "/some/model"):
        load_classifier(block, role="teacher", **how)


def test_a_tokenizer_names_the_folder_to_fill(unreachable):
    from chatstill.text.tokenizers import resolve_tokenizer

    with refused("hub.not-reached", "tokenizer's", "/some/words"):
        resolve_tokenizer("some/words", None, None)


def test_what_was_fetched_before_is_taken_and_the_libraries_ask_no_more(
    unreachable, tmp_path, caplog
):
    import huggingface_hub

    (tmp_path / "hub" / "models--some--model").mkdir(parents=True)
    hub.require_hub("some/model", "place")
    hub.require_hub("some/model", "place")
    assert huggingface_hub.constants.is_offline_mode()
    (told,) = [one.getMessage() for one in caplog.records if "fetched before" in one.getMessage()]
    assert told.startswith("http://127.0.0.1:9: no answer")
    with refused("hub.not-reached", "/some/other", "asked http://127.0.0.1:9"):
        hub.require_hub("some/other", "place")


def test_what_lies_behind_a_name_is_part_of_a_run(unreachable, tmp_path):
    from chatstill.config.schema import RunConfig
    from chatstill.run.fingerprint import hub_contents
    from chatstill.train.runfolder import RunFolder

    config = RunConfig(
        teacher_architectures={"model_name_or_path": "some/model"},
        student_architectures={"model_name_or_path": str(tmp_path)},
        tokenizer_name_or_path="some/words",
    )
    assert hub_contents(config) == {}, "nothing was fetched"

    def fetch(commit, **files):
        place = tmp_path / "hub" / "models--some--model"
        for name in ("refs", f"snapshots/{commit}"):
            (place / name).mkdir(parents=True, exist_ok=True)
        (place / "refs" / "main").write_text(f"{commit}\n", encoding="utf-8")
        for name, text in files.items():
            (place / "snapshots" / commit / name.replace("_", ".")).write_text(text, "utf-8")
        return hub_contents(config)

    late = fetch("a" * 40, config_json="{}", README_md="one")
    assert list(late) == ["files on the hub of some/model"]
    folder = RunFolder(tmp_path / "run")
    folder.open({"seed": 1})  # as runs of before that recorded none
    folder.settle({"seed": 1}, late)
    folder.settle({"seed": 1}, fetch("b" * 40, config_json="{}", README_md="two"))
    with refused("run.another-configuration", "some/model: other content"):
        folder.settle({"seed": 1}, fetch("c" * 40, config_json="[]", README_md="two"))
    folder.close()


def test_offline_is_said(unreachable, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.require_hub("some/model", "place")
    assert "HF_HUB_OFFLINE" in hub.hub_problem("some/model", "place", "why").message


def test_a_data_set_names_the_folder_to_fill(unreachable):
    pytest.importorskip("datasets")
    task = TabularTask(DataKeys(**BLOCK, dataset="some/rows", labels=("a", "b")))
    with refused("hub.not-reached", "/some/rows"):
        next(task.read(task.find("train", None), "train"))


def test_the_folder_to_fill_for_a_subset_is_one_that_works(unreachable, tmp_path):
    pytest.importorskip("datasets")
    task = TabularTask(DataKeys(**BLOCK, dataset="some/rows", subset="few", labels=("a", "b")))
    path = task.find("train", None)
    with refused("hub.not-reached", "/some/rows/few"):
        next(task.read(path, "train"))
    (tmp_path / "some" / "rows").mkdir(parents=True)
    (tmp_path / "some" / "rows" / "train.csv").write_text("text,label\nx,a\n", encoding="utf-8")
    with refused("data.no-rows-of-the-split", "'few'", "some/rows/few"):
        next(task.read(path, "train"))
    (tmp_path / "some" / "rows" / "few").mkdir()
    (tmp_path / "some" / "rows" / "few" / "train.csv").write_text(
        "text,label\ny,a\n", encoding="utf-8"
    )
    assert [row.text_a for row in task.read(path, "train")] == ["y"]


def test_a_folder_takes_the_place_of_a_data_set(unreachable, tmp_path):
    pytest.importorskip("datasets")
    folder = tmp_path / "some" / "rows"
    folder.mkdir(parents=True)
    for split in ("train", "validation"):
        rows = [{"text": f"{split} {n}", "label": "ab"[n % 2]} for n in range(10)]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    task = TabularTask(DataKeys(**BLOCK, dataset="some/rows", dev="train[80%:]"))
    assert task.labels.names == ("a", "b")
    path = task.find("train", None)
    rows = list(task.read(path, "train"))
    assert [rows[0].text_a, rows[1].label, len(rows)] == ["train 0", 1, 10]
    dev = list(task.read(task.find("dev", None), "dev"))
    assert [row.text_a for row in dev] == ["train 8", "train 9"]
    assert all(part.is_file() for part in task.parts(path, "train"))


def test_a_split_that_is_not_there(unreachable, tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "train.csv").write_text("text,label\nx,a\n", encoding="utf-8")
    task = TabularTask(DataKeys(**BLOCK, dataset="rows", labels=("a", "b")))
    with refused("data.no-rows-of-the-split", "'validation'"):
        next(task.read(task.find("dev", None), "dev"))


def test_a_split_or_subset_that_a_data_set_of_the_hub_lacks(monkeypatch, tmp_path):
    """The hub answered: nothing is said of folders and mirrors."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("chatstill.tasks.hub_data.require_hub", lambda *args, **kwargs: None)
    task = TabularTask(DataKeys(**BLOCK, dataset="people/lines", labels=("a", "b")))
    for reason in ("Unknown split", "BuilderConfig 'few' not found. Available: ['all']"):

        def load(*args, said=reason, **kwargs):
            raise ValueError(said)

        monkeypatch.setattr(datasets, "load_dataset", load)
        with refused("data.no-rows-of-the-split", "people/lines", reason):
            next(task.read(task.find("train", None), "train"))


@pytest.fixture
def answering(monkeypatch, tmp_path):
    """Starts a hub that answers every question for a file with one status and some heads."""
    with contextlib.ExitStack() as stack:

        def start(status, **heads):
            class Hub(http.server.BaseHTTPRequestHandler):
                def do_HEAD(self):
                    self.send_response(status)
                    for name, value in {**heads, "Content-Length": "0"}.items():
                        self.send_header(name.replace("_", "-"), value)
                    self.end_headers()

                def log_message(self, *args):
                    pass

            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{server.server_port}"
            monkeypatch.setenv("HF_ENDPOINT", address)
            return address

        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", *hub._OFFLINE):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
        yield start


REFUSALS = [
    (403, {"X_Error_Code": "GatedRepo"}, "Accept them on http"),
    (401, {"X_Error_Code": "RepoNotFound"}, "OWNER/NAME"),
    (401, {"X_Error_Message": "Invalid credentials"}, "status 401, 'Invalid credentials'"),
    (403, {"X_Error_Message": "It is disabled."}, "status 403, 'It is disabled.'"),
]


@pytest.mark.parametrize(("status", "heads", "told"), REFUSALS)
def test_what_the_hub_answers_is_told(answering, tmp_path, status, heads, told):
    """Directly, and where a library has wrapped it in an error of its own that says less."""
    from huggingface_hub import hf_hub_download

    from chatstill.models.hub import hub_errors

    address = answering(status, **heads)
    for wrapped in (False, True):
        with refused("hub.refused", told, address, "./some/model"), hub_errors("some/model", "key"):
            try:
                hf_hub_download("some/model", "config.json", endpoint=address, cache_dir=tmp_path)
            except OSError as error:
                if wrapped:
                    raise OSError("We couldn't connect to the hub") from error
                raise


def test_a_file_that_a_name_lacks_is_told_by_the_library(answering, tmp_path):
    from huggingface_hub import hf_hub_download

    address = answering(404, X_Error_Code="EntryNotFound")
    with pytest.raises(Exception) as caught:
        hf_hub_download("some/model", "config.json", endpoint=address, cache_dir=tmp_path)
    assert hub.refusal_of(caught.value, "page") is None


def test_a_token_that_was_sent_is_named_and_a_gated_one_has_a_page(answering, monkeypatch):
    from huggingface_hub import hf_hub_download

    address = answering(403, X_Error_Code="GatedRepo")
    monkeypatch.setenv("HF_TOKEN", "hf_word")
    with pytest.raises(OSError) as caught:
        hf_hub_download("some/rows", "x.csv", repo_type="dataset", endpoint=address)
    text = str(hub.hub_problem("some/rows", "data.dataset", caught.value, kind="dataset"))
    assert f"on {address}/datasets/some/rows" in text and "the token of HF_TOKEN was sent" in text
    assert "hf_word" not in text


@pytest.mark.parametrize(("status", "word"), [(429, "too many requests"), (503, "of its own")])
def test_a_hub_in_trouble_says_so(status, word):
    """As `huggingface_hub` raises it once it has asked often enough."""
    from huggingface_hub.errors import HfHubHTTPError

    error = HfHubHTTPError.__new__(HfHubHTTPError)
    error.response = type("Response", (), {"status_code": status})()
    error.server_message = None
    assert word in hub.refusal_of(error, "page")[0]
    assert hub.refusal_of(OSError("no"), "page") is None

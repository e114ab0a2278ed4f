"""The commands that ask a server, as programs: `lepton infer`, `models`, `status`; exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fake_models import identity, write_model
from lepton_server import BINARY

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "examples/digits"
NOBODY = "http://127.0.0.1:1"


def lepton(*arguments: object, code: int = 0, url: str = NOBODY, **environment: str):
    done = subprocess.run(
        [sys.executable, "-m", "lepton", *map(str, arguments)],
        env={
            **os.environ,
            "LEPTON_SERVER": str(BINARY),
            "LEPTON_BENCH": str(BINARY.with_name("lepton-bench")),
            "LEPTON_URL": url,
            "NO_COLOR": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    write_model(folder, "four", identity(shape=[-1, 4]), config="version_policy { all {} }")
    write_model(folder, "four", identity(shape=[-1, 4]), version=3)
    write_model(folder, "text", identity("BYTES", [-1]))
    write_model(folder, "broken", "{")
    return folder


@pytest.fixture(scope="module")
def served(keep_server, repository):
    return keep_server(repository, "--strict-readiness", "false")


def test_infer_says_what_it_made_of_the_input_and_where_the_time_went(served):
    said = lepton("infer", "four", "x=1,2,3,4", url=served.url).stdout
    assert said.startswith(f"four version 3 at {served.url}: answered in ")
    for words in ("4 values as [1, 4]", "y  FP32 [1, 4]", "[[1. 2. 3. 4.]]", "queue", "compute"):
        assert words in said


@pytest.mark.parametrize("scheme", ["http", "grpc", "unix"])
def test_infer_asks_every_endpoint(served, scheme):
    urls = {
        "http": served.url,
        "grpc": f"grpc://{served.address}",
        "unix": f"unix:{served.unix_socket}",
    }
    done = lepton("infer", urls[scheme], "text", "x=a, b", "--version", "1", "--json")
    answer = json.loads(done.stdout)
    assert (answer["model"], answer["version"]) == ("text", "1")
    assert answer["outputs"] == [{"name": "y", "datatype": "BYTES", "shape": [1], "data": ["a, b"]}]
    assert set(answer["timing_ms"]) == {"net", "queue", "input", "compute", "output"}


def test_infer_writes_what_it_got(served, tmp_path):
    lepton("infer", "four", "x=1,2,3,4", "--output", tmp_path / "o.npz", url=served.url)
    assert np.load(tmp_path / "o.npz")["y"].tolist() == [[1, 2, 3, 4]]


@pytest.mark.openvino
def test_infer_runs_a_file_or_a_folder_in_this_process(tmp_path):
    from PIL import Image

    (tmp_path / "labels.txt").write_text("".join(f"digit {i}\n" for i in range(10)))
    (tmp_path / "digits.onnx").write_bytes((DIGITS / "model.onnx").read_bytes())
    held_out = np.load(DIGITS / "heldout.npz")
    picture = Image.fromarray((held_out["images"][0] * 15.9).astype(np.uint8))
    picture.resize((80, 80)).save(tmp_path / "digit.png")
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = lepton(
        "infer", tmp_path / "digits.onnx", f"image=@{tmp_path}/digit.png", "--top", "1", **cache
    )
    assert f"digit {held_out['labels'][0]}" in done.stdout
    assert "80 x 80, as grey, resized to 8 x 8, values from 0 to 1" in done.stdout
    assert "in this process" in done.stdout
    done = lepton("infer", tmp_path, f"@{tmp_path}/digit.png", code=2, **cache)
    assert f"name the file: {tmp_path}/digits.onnx" in done.stderr


def test_models_lists_those_that_are_not_ready_too(served):
    told = json.loads(lepton("models", "--json", url=served.url).stdout)["models"]
    states = {model["name"]: (model["versions"], model["state"]) for model in told}
    assert states == {
        "four": (["1", "3"], "ready"),
        "text": (["1"], "ready"),
        "broken": ([], "failed"),
    }
    assert "cannot be read" in next(one["reason"] for one in told if one["name"] == "broken")
    table = lepton("models", url=f"grpc://{served.address}").stdout
    assert "1, 3" in table
    assert "failed" in table


def test_status_is_ready_or_says_why_not(served, start_server, repository):
    said = lepton("status", url=served.url).stdout
    assert said.startswith(f"lepton 0.1.0 at {served.url}")
    assert "1 failed, 2 ready" in said
    strict = start_server(repository).wait_for_port()
    strict.wait_for_model("text")
    told = json.loads(lepton("status", "--json", url=strict.url, code=1).stdout)
    assert told["ready"] is False
    assert "broken" in told["reason"]


@pytest.mark.parametrize(
    "command",
    [
        ("infer", "fuor", "x=1"),
        ("tune", "fuor"),
        ("bench", "--model", "fuor", "--rate", "1"),
    ],
)
def test_a_misspelt_model_has_a_hint(served, command):
    done = lepton(*command, url=served.url, code=2)
    assert 'did you mean "four"?' in done.stderr


COMMANDS = {
    "infer": ("infer", "m", "x=1"),
    "models": ("models",),
    "status": ("status",),
    "slow": ("slow",),
    "tune": ("tune", "m"),
    "bench": ("bench", "--model", "m", "--rate", "1"),
}


@pytest.mark.parametrize("json_too", [False, True])
@pytest.mark.parametrize("command", COMMANDS)
def test_exit_codes_and_messages_are_alike(command, json_too):
    """1 where nobody answers, 2 where the endpoint or an option is wrong."""
    asked = [*COMMANDS[command], *(["--json"] if json_too else [])]
    silent = lepton(*asked, url=NOBODY, code=1)
    wrong = lepton(*asked, "--url", "ftp://h", code=2)
    for done, words in ((silent, f"no server at {NOBODY}"), (wrong, 'endpoint "ftp://h"')):
        if json_too:
            assert words in json.loads(done.stdout)["error"]
            assert done.stderr == ""
        else:
            assert done.stderr.startswith(f"lepton {command}: {words}")
            assert done.stdout == ""
    misspelt = lepton(*asked, "--jsn", code=2).stderr
    assert misspelt == f'lepton {command}: no option "--jsn"; did you mean "--json"?\n'


@pytest.mark.parametrize(
    ("word", "meant"), [("infr", "infer"), ("serv", "serve"), ("crete", "create"), ("tun", "tune")]
)
def test_a_misspelt_command_has_a_hint(word, meant):
    said = lepton(word, code=2).stderr
    assert said == f'lepton: no command "{word}"; did you mean "{meant}"?\n'

"""The command as a program: what it prints, remembers, and leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from test_create import contents, linear

ROOT = Path(__file__).resolve().parents[3]


def create(folder: Path, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lepton", "create", *map(str, arguments)]
    done = subprocess.run(
        command,
        env={**os.environ, "NO_COLOR": "1", "XDG_STATE_HOME": str(folder / "state")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    linear(tmp_path / "linear.onnx")
    return tmp_path


GIVEN = ("--model_path", "linear.onnx", "--output_path", "out")


def test_json_is_one_object_with_the_facts(folder: Path) -> None:
    done = create(folder, *GIVEN, "--json")
    made: dict[str, Any] = json.loads(done.stdout)
    assert (made["name"], made["version"], made["service"]) == ("linear", "1", "out")
    known = json.loads((folder / "out/linear/lepton.json").read_text())
    assert made["facts"] == known["versions"]["1"]
    assert done.stderr == ""


def test_json_of_a_failure_is_one_object_with_the_error(folder: Path) -> None:
    done = create(folder, "--model_path", "none.onnx", "--output_path", "out", "--json", code=2)
    assert json.loads(done.stdout) == {"error": "none.onnx does not exist"}
    assert done.stderr == ""


def test_quiet_says_nothing(folder: Path) -> None:
    done = create(folder, *GIVEN, "--quiet")
    assert (done.stdout, done.stderr) == ("", "")
    assert (folder / "out/linear/1/model.onnx").is_file()


def test_words_say_what_was_compared(folder: Path) -> None:
    # These tests' environment has no onnxruntime.
    assert "not compared: onnxruntime is needed" in create(folder, *GIVEN).stdout


def test_text_between_colons_is_printed_as_it_is(folder: Path) -> None:
    done = create(folder, *GIVEN, "--module", "nets:Two:", code=2)
    assert done.stderr.startswith("lepton create: --module is for PyTorch's files")
    done = create(folder, "--model_path", "a:Two:b", "--output_path", "out", code=2)
    assert "a:Two:b does not exist" in done.stderr


def test_last_service_is_remembered(folder: Path) -> None:
    create(folder, *GIVEN)
    assert (folder / "state/lepton/last_service").read_text() == f"{folder / 'out'}\n"


def test_state_that_cannot_be_written_is_no_failure(folder: Path) -> None:
    (folder / "state").write_text("")
    create(folder, *GIVEN)


def test_output_that_cannot_be_made_is_one_line_and_exit_code_1(folder: Path) -> None:
    (folder / "file").write_text("")
    done = create(folder, "--model_path", "linear.onnx", "--output_path", "file/out", code=1)
    assert done.stderr == "lepton create: file/out: Not a directory\n"


def test_full_disk_leaves_nothing_behind(folder: Path) -> None:
    (folder / "linear.onnx").write_bytes((folder / "linear.onnx").read_bytes() + b"\x00" * 100_000)
    done = subprocess.run(
        ["bash", "-c", f'ulimit -f 20; "{sys.executable}" -m lepton create {" ".join(GIVEN)}'],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert not (folder / "out").exists()


def test_interrupt_leaves_nothing_behind(folder: Path) -> None:
    # A slow conversion.
    slow = folder / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    code = (
        "import sys; sys.executable = sys.argv.pop(1); from lepton.cli import app; "
        "app(sys.argv[1:], prog_name='lepton')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, slow, "create", *GIVEN],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    give_up = time.monotonic() + 30
    while not list(folder.glob("out/.create-*/made/version/model.onnx")):
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "lepton create: interrupted, nothing was written\n"
    assert contents(folder) == ["linear.onnx", "slow"]


def test_help_has_an_example_for_each_framework(folder: Path) -> None:
    said = " ".join(create(folder, "--help").stdout.split())
    for example in (".onnx", ".pt2", "--module my.nets:Net", "saved_model/", ".keras", "MiniLM"):
        assert example in said


def test_script_of_the_first_api_creates(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/create_lepton_ai_service.py", *GIVEN, "--json"],
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["version"] == "1"


def test_script_of_the_first_api_asks_for_a_service_where_there_is_none(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/start_lepton_ai_service.py", "--port", "0"],
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "name one with --service" in done.stderr

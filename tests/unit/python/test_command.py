from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lepton", *arguments],
        env={**os.environ, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["serve", "version"])
def test_native_commands_become_the_server_with_all_arguments(tmp_path: Path, command: str) -> None:
    server = tmp_path / "server"
    server.write_text('#!/bin/sh\necho "$$ $@"\n')
    server.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, "-m", "lepton", command, "--port", "0", "-x"],
        env={**os.environ, "LEPTON_SERVER": str(server)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        said, _ = process.communicate(timeout=60)
    # It is the same process, so a supervisor's signals reach the server itself.
    assert said == f"{process.pid} {command} --port 0 -x\n"


def test_native_commands_import_nothing_that_is_slow(tmp_path: Path) -> None:
    server = tmp_path / "server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "lepton", "serve"],
        env={**os.environ, "LEPTON_SERVER": str(server)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "lepton.native" in imported
    assert not imported & {"numpy", "typer", "rich", "openvino", "json", "typing"}


def test_missing_server_is_one_line(tmp_path: Path) -> None:
    done = run("serve", LEPTON_SERVER=str(tmp_path / "none"))
    assert done.returncode == 127
    assert done.stderr.count("\n") == 1
    assert "No such file" in done.stderr


def test_help_lists_every_command_without_color() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("create", "serve", "demo", "version"):
        assert command in done.stdout
    assert "\x1b[" not in done.stdout


def test_each_python_command_has_examples() -> None:
    for command in ("create", "demo"):
        assert "Examples:" in run(command, "--help").stdout


def test_unknown_command_is_bad_input() -> None:
    done = run("create", "--model", "x")
    assert done.returncode == 2

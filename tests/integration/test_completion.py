"""`lepton completion`: what the shells themselves make of it, where they are installed."""

import os
import shlex
import shutil
import subprocess
import sys

import pytest

# Each prints, for a line, what it offers at its end.
SCRIPTS = {
    "bash": """
        eval "$(lepton completion bash)"
        offered() {
            COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
            _lepton_completion lepton; echo "${COMPREPLY[@]}"
        }
    """,
    # Outside of its editor zsh completes nothing: what it is asked to offer is printed.
    "zsh": """
        compdef() { : }
        eval "$(lepton completion zsh)"
        _arguments() { print -r -- "$*" | sed -E 's/^[^"]*"([^"]*)".*/\\1/' }
        offered() { words=("$@"); CURRENT=$#words; _lepton_completion }
    """,
    "fish": """
        lepton completion fish | source
        function offered; complete -C "$argv" | string split -f1 \\t; end
    """,
}
NO_STARTUP_FILES = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}
OFFERED = {
    "lepton tu": "tune",
    "lepton tune m --po": "--policy",
    "lepton tune m --policy f": "fifo",
    "lepton serve --po": "--port",
    "lepton tune fo": "four",
}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_commands_options_values_and_models_are_completed(shell, server, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = tmp_path / "lepton"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m lepton "$@"\n')
    command.chmod(0o755)
    calls = "\n".join(f"offered {line}" for line in OFFERED)
    done = subprocess.run(
        [shell, *NO_STARTUP_FILES[shell], "-c", f"{SCRIPTS[shell]}\n{calls}"],
        env={
            **os.environ,
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "LEPTON_URL": server.url,
        },
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.stdout.split() == list(OFFERED.values()), done.stderr


@pytest.mark.parametrize("shell", SCRIPTS)
def test_every_script_is_printed(shell, capsys):
    from lepton.cli import run

    with pytest.raises(SystemExit) as ended:
        run(["completion", shell])
    assert not ended.value.code
    assert "_LEPTON_COMPLETE" in capsys.readouterr().out


def test_another_shell_is_refused(capsys):
    from lepton.cli import run

    with pytest.raises(SystemExit) as ended:
        run(["completion", "bsh"])
    assert ended.value.code == 2
    assert 'did you mean "bash"?' in capsys.readouterr().err


def test_without_a_server_no_model_is_offered_and_nothing_is_said(monkeypatch, capsys):
    from types import SimpleNamespace

    from lepton.cli.completion import model_names

    for url in ("http://127.0.0.1:1", "ftp://h"):
        assert model_names(SimpleNamespace(params={"url": url}), "f") == []
    assert capsys.readouterr().err == ""

"""What the process that reads a model cannot do."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_create import linear

from lepton.create import CreateError, Options, create_service, sandbox
from lepton.create.source import find_source

TRY = """
import json, os, socket, sys
from pathlib import Path
folder, outside = map(Path, sys.argv[1:3])

def fails(do):
    try:
        do()
    except OSError:
        return True
    return False

def run(command):
    if os.system(command) != 0:
        raise OSError

(folder / "x").write_text("x")
(folder / "y").mkdir()
(folder / "x").rename(folder / "y/x")
open("/dev/null", "w").write("x")
print(json.dumps({
    "missing": sys.argv[3:],
    "write": fails(lambda: (outside / "made").write_text("x")),
    "append": fails(lambda: open(outside / "there", "a")),
    "truncate": fails(lambda: os.truncate(outside / "there", 0)),
    "mkdir": fails(lambda: (outside / "made").mkdir()),
    "link": fails(lambda: (outside / "made").symlink_to("x")),
    "move": fails(lambda: (folder / "y/x").rename(outside / "made")),
    "remove": fails(lambda: (outside / "there").unlink()),
    "child": fails(lambda: run(f"echo > {outside}/made 2>/dev/null")),
    "tcp": fails(lambda: socket.socket()),
    "udp": fails(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    "unix": fails(lambda: socket.socket(socket.AF_UNIX)),
    "read": (outside / "there").read_text(),
}))
"""


def test_confined_process_writes_to_its_folder_and_knows_no_network(tmp_path: Path) -> None:
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "there").write_text("as it was")
    command = [sys.executable, sandbox.__file__, folder, sys.executable, "-c", TRY, folder, outside]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    missing = " ".join(found.pop("missing"))
    assert found.pop("read") == "as it was"
    # It reports what this machine's kernel lacks.
    network = {"tcp", "udp", "unix"}
    free = {name for name, failed in found.items() if not failed}
    assert not free & network or "network" in missing
    assert not free - network or "writing" in missing
    assert sorted(one.name for one in outside.iterdir()) == ["there"] or "writing" in missing


def test_what_is_loaded_is_what_was_looked_at(tmp_path: Path) -> None:
    model = linear(tmp_path / "linear.onnx")
    whole = model.read_bytes()

    def change(step: str) -> None:
        if step.startswith("loading"):
            model.write_bytes(b"changed meanwhile")

    facts = create_service(model, tmp_path / "out", measure=False, progress=change).facts
    assert facts["source"]["sha256"] == hashlib.sha256(whole).hexdigest()
    assert facts["source"]["path"] == str(model.resolve())
    assert (tmp_path / "out/linear/1/model.onnx").read_bytes() == whole
    assert facts["check"]["passed"]


def test_copy_lies_as_the_original_does(tmp_path: Path) -> None:
    (tmp_path / "m.savedmodel/variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index"):
        (tmp_path / "m.savedmodel" / name).write_text(name)
    source = find_source(tmp_path / "m.savedmodel")
    (tmp_path / "to").mkdir()
    copied = find_source(source.copy_to(tmp_path / "to"))
    assert copied.sha256() == source.sha256()


def test_model_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    model = linear(tmp_path / "linear.onnx")
    with pytest.raises(CreateError, match=r"linear\.onnx takes longer than 0.01 seconds: .*limit"):
        create_service(model, tmp_path / "out", options=Options(time_limit=0.01))
    assert not (tmp_path / "out").exists()

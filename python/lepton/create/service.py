"""Writes a service folder: a model repository that `lepton serve` reads.

<output>/<name>/<version>/model.<ext>   the model, as it was given or as OpenVINO IR
<output>/<name>/lepton.json             the origin of each version, and its measurements
<output>/<name>/report.md, report.html  the latest version, for a person
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import lepton
from lepton.create.child import work_on
from lepton.create.errors import CreateError
from lepton.create.facts import Facts
from lepton.create.options import Options
from lepton.create.report import render
from lepton.create.report_html import render_html
from lepton.create.serving import batching_of
from lepton.create.source import ModelSource, find_source
from lepton.native import probe_path
from lepton.report.machine import machine

__all__ = ["CreateError", "Service", "create_service", "default_name"]

# File names that say nothing about the model; the folder's name is used then.
_UNTELLING = {"model", "saved_model", "openvino_model", "inference", "frozen_graph"}
_LONGEST_TUNING = 600.0  # Seconds; a model that takes longer is measured when it is served.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Service:
    """The result of create_service()."""

    repository: Path
    name: str
    version: str
    facts: Facts

    @property
    def report(self) -> Path:
        """The report for a person."""
        return self.repository / self.name / "report.md"


def create_service(
    model_path: Path,
    output_path: Path,
    name: str | None = None,
    *,
    options: Options | None = None,
    measure: bool = True,
    progress: Callable[[str], None] = lambda step: None,
) -> Service:
    """Checks a model and writes it, converted if needed, as a service's next version.

    Nothing is left behind if it fails: the version is made in a hidden folder beside its place and
    renamed when it is complete.

    Args:
        model_path: The model's file, or the folder of a SavedModel or of Hugging Face.
        output_path: The repository; the folder is created if it is missing.
        name: The model's name; that of the file, or of its folder, when left out.
        options: What the file does not say, and how to check it.
        measure: Whether to measure its latency.
        progress: Called with each step as it begins.

    Raises:
        CreateError: The input cannot become a service.
        OSError: The folder cannot be written.
    """
    progress("reading the file")
    options = options or Options()
    source = find_source(model_path, options)
    name = _checked_name(name if name is not None else default_name(model_path))
    if output_path.exists() and not output_path.is_dir():
        raise CreateError(f"{output_path} is a file, not a folder; name another --output_path")
    _read_known(output_path / name)
    made = not output_path.exists()
    output_path.mkdir(parents=True, exist_ok=True)
    # Hidden, so that a server that watches the repository does not take it for a model.
    work = Path(tempfile.mkdtemp(prefix=".create-", dir=output_path))
    try:
        content = work / "made/version"
        content.mkdir(parents=True)
        _check_space(source, output_path)
        progress("copying")
        # The model is inspected, loaded and served from one copy, whatever happens to the file.
        copied = source.copy_to(work / "given")
        with _known_as(source.path, copied, content / source.entry):
            copy = find_source(copied, options)
            if not copy.format.converted:
                copy.link_to(content)
            facts = _facts(copy, content / copy.entry, output_path, options, measure, progress)
        facts["source"]["path"] = str(source.path.resolve())
        _check_made(content, source.path)
        if measure:
            progress("measuring how it is served")
            batching = _served(work, content, output_path / name, facts)
            if batching is not None:
                facts["batching"] = batching
            progress("measuring how it is served best")
            tuning = _tuning(content / copy.entry, facts.get("config"), work)
            if tuning:
                facts["tuning"] = tuning
        progress("writing")
        with _locked(output_path):
            version = _publish(content, work, output_path / name, name, facts)
    finally:
        shutil.rmtree(work, ignore_errors=True)
        if made:
            with contextlib.suppress(OSError):  # It holds the service now.
                output_path.rmdir()
    return Service(output_path, name, version, facts)


@contextlib.contextmanager
def _known_as(given: Path, copied: Path, entry: Path) -> Iterator[None]:
    """Makes errors name the path that the user gave, not those of its copies."""
    try:
        yield
    except CreateError as error:
        text = str(error)
        for copy, name in ((entry, given), (copied, given), (copied.parent, given.parent)):
            text = text.replace(str(copy), str(name))
        raise CreateError(text) from None


def _check_made(content: Path, path: Path) -> None:
    """Refuses a version with links, which would be followed where nothing is confined."""
    if any(one.is_symlink() or not (one.is_file() or one.is_dir()) for one in content.rglob("*")):
        raise CreateError(f"{path} turned into more than files and folders: do not trust it")


def _facts(
    source: ModelSource,
    entry: Path,
    repository: Path,
    options: Options,
    measure: bool,
    progress: Callable[[str], None],
) -> Facts:
    """Writes `entry`, which will be served, if it is not there yet, and checks it."""
    writable = entry.parent.parent
    read = {
        "path": str(source.path),
        "sha256": source.sha256(),
        "size_bytes": source.size_bytes(),
        "files": sorted(source.files),
    }
    known = work_on(
        source.path,
        source.format,
        options,
        entry=entry,
        work=Path(tempfile.mkdtemp(prefix="work-", dir=writable)),
        writable=writable,
        measure=measure,
        progress=progress,
    )
    facts: dict[str, Any] = {
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lepton": lepton.__version__,
        "repository": str(repository),
        "machine": machine(),
        "source": read,
        "format": source.format.name,
        "framework": source.format.framework,
        "converted": source.format.converted,
        "options": options.as_given(),
        **known,
    }
    return cast(Facts, facts)


def _served(work: Path, content: Path, folder: Path, facts: Facts) -> str | None:
    """Loads the version in the server before it is published; returns whether requests share runs.

    Raises:
        CreateError: The server does not load it.
    """
    repository = work / "served"
    model = repository / folder.name
    model.mkdir(parents=True)
    (model / "1").symlink_to(content.resolve())
    config = folder / "config.pbtxt"
    if config.exists():
        shutil.copyfile(config, model / "config.pbtxt")
    elif facts.get("config"):
        (model / "config.pbtxt").write_text(facts["config"])
    try:
        return batching_of(repository, folder.name)
    except CreateError as error:
        raise CreateError(f"{facts['source']['path']} cannot be served: {error}") from None


def _tuning(entry: Path, config: str | None, work: Path) -> dict[str, object]:
    """Returns the server's own measurement, so that it starts with it.

    What cannot be measured here, the server finds out when it starts; returns nothing then.
    """
    settings = work / "config.pbtxt"
    if config:
        settings.write_text(config)
    try:
        done = subprocess.run(
            [probe_path(), "record", entry, settings],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LONGEST_TUNING,
            check=True,
        )
        return dict(json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}


def _check_space(source: ModelSource, folder: Path) -> None:
    """Refuses early what would only fail after minutes of conversion."""
    # A copy, and what is written; Keras's intermediate export is as large again.
    need = source.size_bytes() * (3 if source.format.converted else 1)
    free = shutil.disk_usage(folder).free
    if free < need:
        raise CreateError(
            f"{folder} has {free / 1e6:.0f} MB free, {source.path} needs {need / 1e6:.0f} MB: make "
            "room, or choose another --output_path"
        )


def _publish(content: Path, work: Path, folder: Path, name: str, facts: Facts) -> str:
    """Moves a complete version into its place, under the repository's lock; returns its number."""
    if not folder.exists():
        # The first version comes with its model's folder, so that no reader sees an empty one.
        whole = work / "model"
        whole.mkdir()
        content.rename(whole / "1")
        _write_facts(whole, name, "1", facts)
        whole.rename(folder)
        return "1"
    version = str(_latest_version(folder) + 1)
    content.rename(folder / version)
    _write_facts(folder, name, version, facts)
    return version


@contextlib.contextmanager
def _locked(repository: Path) -> Iterator[None]:
    """Keeps other creates from choosing the same version; the lock ends with its process."""
    handle = os.open(repository, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _latest_version(folder: Path) -> int:
    numbers = [int(entry.name) for entry in folder.iterdir() if re.fullmatch("[0-9]+", entry.name)]
    return max(numbers, default=0)


def _read_known(folder: Path) -> dict[str, Any]:
    """Returns the versions in lepton.json; none without such a file."""
    path = folder / "lepton.json"
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text())["versions"])
    except (ValueError, KeyError, TypeError):
        raise CreateError(f"{path} is not what `lepton create` wrote; move it away") from None


def _write_facts(folder: Path, name: str, version: str, facts: Facts) -> None:
    versions = {**_read_known(folder), version: facts}
    known = {"format": 1, "name": name, "versions": versions}
    _replace(folder / "lepton.json", json.dumps(known, indent=2) + "\n")
    _replace(folder / "report.md", render(name, version, facts))
    _replace(folder / "report.html", render_html(name, version, facts))
    if facts.get("config") and not (folder / "config.pbtxt").exists():
        _replace(folder / "config.pbtxt", facts["config"])
    if facts.get("labels") and not (folder / "labels.txt").exists():
        lines = (" ".join(label.split()) for label in facts["labels"])
        _replace(folder / "labels.txt", "".join(f"{line}\n" for line in lines))


def _replace(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old text or the new one, never a part."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def default_name(path: Path) -> str:
    """Returns the name of a model that is called by its file, or by its folder."""
    path = path.resolve()
    stem = path.stem
    if stem.lower() in _UNTELLING:
        # The folder of a version is a number, in the folder of its model.
        folder = path.parent.parent if path.parent.name.isdecimal() else path.parent
        stem = folder.name or stem
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).lstrip("_.-") or "model"


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise CreateError(
            f'name "{name}" may hold only letters, digits, "_", "-" and ".", and must begin with a '
            "letter or a digit"
        )
    return name

"""Models that are not in a repository yet: a file, or a folder of TensorFlow's.

The server and the in-process server take a repository of models. One of links is made for such a
model, in the user's cache: it holds for the next time too, and what the server measures and saves
is found again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lepton.create.errors import CreateError
from lepton.create.service import default_name
from lepton.create.source import ModelSource, find_source, names_in
from lepton.serve_command import MODEL_ENDINGS


@dataclass(frozen=True)
class LinkedModel:
    """A model in a repository of its own, which is a link to its file."""

    name: str
    repository: Path


def replace_files(arguments: list[str], places: list[int]) -> None:
    """Puts repositories in the place of models' files, and says so in one line for each.

    Ends the process if one of them cannot be served.

    Args:
        arguments: Of `lepton serve`; changed in place.
        places: Which of them name models.
    """
    from lepton.console import BAD_INPUT, FAILED, die, err

    # Lines of JSON are not for a person.
    says = "json" not in (*arguments, os.environ.get("LEPTON_LOG_FORMAT"))
    says = says and "--log-format=json" not in arguments
    named: dict[str, str] = {}
    for i in places:
        given = arguments[i]
        try:
            linked = linked_model(Path(given))
        except CreateError as error:
            die("serve", str(error), BAD_INPUT)
        except OSError as error:
            die("serve", f"{error.filename or given}: {error.strerror or error}", FAILED)
        if linked is None:
            continue
        if linked.name in named:
            die(
                "serve",
                f'{named[linked.name]} and {given} would both be model "{linked.name}"; rename one '
                "of them",
            )
        named[linked.name] = given
        arguments[i] = str(linked.repository)
    for name, given in named.items() if says else ():
        err.print(f'{given} is served as version 1 of model "{name}"', markup=False)


def linked_model(path: Path) -> LinkedModel | None:
    """Returns a repository with the model, or None for a folder that the server takes as it is.

    Args:
        path: A model's file, the folder of a SavedModel, or a folder of models.

    Raises:
        CreateError: It is no model, or none that the server loads as it is; says what to do.
        OSError: It cannot be read, or no repository can be made.
    """
    source = _source(path)
    if source is None:
        return None
    name = default_name(path)
    repository = _home() / hashlib.sha256(bytes(source.path.resolve())).hexdigest()[:16]
    try:
        _link(source, repository / name / "1")
    except OSError:  # Such as a home that is not there; then for this once.
        repository = Path(tempfile.mkdtemp(prefix="lepton-served-"))
        _link(source, repository / name / "1")
    return LinkedModel(name, repository)


def _source(path: Path) -> ModelSource | None:
    if path.is_dir():
        loose = [name for name in names_in(path) if name.lower().endswith(MODEL_ENDINGS)]
        try:
            source = find_source(path)
        except CreateError:
            if not loose or _holds_models(path):
                return None
            raise CreateError(
                f"{path} holds {loose[0]}, but no folder of a model; name the file: "
                f"{path / loose[0]}"
            ) from None
    else:
        source = find_source(path)
    if source.format.converted:
        raise CreateError(
            f"{path} is of {source.format.framework} ({source.format.name}), which the server does "
            f"not load as it is; convert it first: lepton create {path}"
        )
    return source


def _holds_models(folder: Path) -> bool:
    """Whether it is a model, or a repository of them, in Triton's layout."""
    inside = [folder / name for name in names_in(folder)]
    return any(
        name == "config.pbtxt" or name.isdecimal()
        for one in (folder, *filter(Path.is_dir, inside))
        for name in names_in(one)
    )


def _home() -> Path:
    # By the XDG base directory specification, a relative path there is ignored.
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if os.path.isabs(home) else Path(os.path.expanduser("~/.cache"))
    return base / "lepton" / "served"


def _link(source: ModelSource, version: Path) -> None:
    """Makes a version's folder hold links to the model's files, and no others.

    What is right already stays: another server may be loading it.
    """
    for name, file in source.files.items():
        link, target = version / name, file.resolve()
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_symlink() and link.readlink() == target:
            continue
        new = link.with_name(f".{link.name}.{os.getpid()}")
        new.symlink_to(target)
        new.replace(link)
    for link in sorted(version.rglob("*")):
        if link.is_symlink() and str(link.relative_to(version)) not in source.files:
            link.unlink(missing_ok=True)

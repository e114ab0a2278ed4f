"""What each framework provides: the formats that it recognizes, and the original model.

A module of a framework has

    FORMATS: tuple[Format, ...]
    def detect(path: Path) -> Format | None     decides by content; quick; imports no framework
    def load(job: Job) -> Original              in the child process; may take seconds
    def file_inputs(path: Path) -> list[InputSpec] | None   may be left out: the inputs in the
                                                words of a file that is served as it is

where load() may raise NoReferenceError when Format.converted is false. Each module is listed in
lepton.create.source. The child (lepton.create.worker) then asks the Original for its inputs, its
OpenVINO model, and its answers, which it compares with those of what was written.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lepton.create.errors import CreateError, one_line
from lepton.create.options import InputSpec, Options

if TYPE_CHECKING:
    from lepton.datatypes import Array


@dataclass(frozen=True)
class Format:
    """A kind of model file.

    Attributes:
        name: What people call it: "TorchScript".
        framework: Whose format it is: "PyTorch".
        module: The module of lepton.create that loads it: "pytorch".
        suffixes: Suffixes of its files; a folder has "".
        extension: The entry's in a model repository, ".savedmodel" for that folder; ".xml" if it is
            converted.
        converted: Whether a version holds OpenVINO IR made from it instead of the file itself.
    """

    name: str
    framework: str
    module: str
    suffixes: tuple[str, ...]
    extension: str = ".xml"
    converted: bool = True


@dataclass(frozen=True)
class Job:
    """The child process's task.

    Attributes:
        path: The user's file or folder.
        format: The name of its Format.
        options: What the user said about it.
        work: A folder for intermediate files; removed afterwards.
    """

    path: Path
    format: str
    options: Options
    work: Path


class NoReferenceError(Exception):
    """The original cannot be run here, for a reason in words; the file itself will be served."""


@dataclass
class Original(ABC):
    """A model as its own framework runs it.

    Attributes:
        against: Framework and version, as people read them: "torch 2.15.0".
        versions: Versions of the packages involved, by package.
        inputs: Every input of one call; open extents are -1.
        notes: Remarks for the report, one sentence each.
    """

    against: str
    versions: dict[str, str]
    inputs: list[InputSpec]
    notes: list[str] = field(default_factory=list)

    @abstractmethod
    def convert(self, sample: Mapping[str, Array]) -> Any:  # noqa: ANN401 - openvino has no types
        """Returns the equivalent openvino.Model, its tensors named; f32 stays f32.

        Not called where Format.converted is false.

        Args:
            sample: Inputs of some rows that run() has taken, for frameworks that trace the model.

        Raises:
            CreateError: OpenVINO cannot express it.
        """

    @abstractmethod
    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns the original's answer, by output.

        The names are those of the served model's outputs, or else all come in its order.

        Raises:
            Exception: The framework's own, when the inputs do not suit it.
        """

    def run_otherwise(self, inputs: Mapping[str, Array]) -> dict[str, Array] | None:
        """Returns the original's answer, computed in another way that is as good, or None.

        Its difference from run()'s answer is the original's own scatter.
        """
        del inputs
        return None

    def sample(self, batch: int) -> dict[str, Array] | None:
        """Returns inputs of `batch` rows to compare with, or None for noise that fits `inputs`."""
        del batch
        return None

    def extremes(self) -> dict[str, Array] | None:
        """Returns inputs at the edges of what the model takes, to compare once, or None."""
        return None

    def labels(self) -> Sequence[str]:
        """Returns the names of the classes in their order, or nothing."""
        return ()

    def config(self) -> str:
        """Returns a config.pbtxt for a service that has none yet; "" for no file."""
        return ""


class CodeError(CreateError):
    """The file holds more than data, and the user has not said to trust it."""


def refuse_code(job: Job, find: Callable[[], list[str]], words: str) -> None:
    """Refuses a file that holds more than data, unless the user trusts it.

    Args:
        job: What the user gave.
        find: Returns what the file names besides data.
        words: What the file would do, with "{}" for what it names.

    Raises:
        CodeError: The file names something.
    """
    named = [] if job.options.trust_pickle else find()
    if named:
        listed = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
        raise CodeError(
            f"{job.path} {words.format(listed)}; if you trust its maker, add --trust-pickle"
        )


def version_of(package: str) -> str:
    """Returns the version of an installed package, without the build's own suffix."""
    return metadata.version(package).partition("+")[0]


def need(module: str, extra: str, why: str) -> ModuleType:
    """Imports a framework.

    Args:
        module: What to import.
        extra: The extra of lepton that installs it.
        why: Its purpose, as the end of "... is needed to".

    Raises:
        CreateError: It is not installed, or does not load.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise CreateError(f"{module} does not load: {one_line(error)}") from None
        name = module.partition(".")[0]
        raise CreateError(
            f"{name} is needed to {why}, install it: pip install 'lepton-serving[{extra}]'"
        ) from None
    except (ImportError, OSError) as error:
        raise CreateError(f"{module} does not load: {one_line(error)}") from None

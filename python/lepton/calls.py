"""The calls that clients and in-process servers share."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar

from lepton import _native
from lepton._native import Answer, Model
from lepton.datatypes import Array
from lepton.errors import InvalidInput, LeptonError, ModelNotFound, Unavailable

# One tensor, or several by name. Anything that lepton takes: arrays of numpy, torch or any other
# library that speaks DLPack or the buffer protocol, nested lists, scalars, str and bytes.
Inputs: TypeAlias = Any
Parameters: TypeAlias = "Mapping[str, bool | int | float | str]"

Native = TypeVar("Native", bound="_native.Client | _native.Server")


class Owner(Protocol):
    """An object with a native client or server."""

    @property
    def _native(self) -> _native.Client | _native.Server: ...


_open: weakref.WeakSet[Owner] = weakref.WeakSet()


def close_at_exit(owner: Owner) -> None:
    """Ends its threads while there is still an interpreter that they might need.

    A program need not close its clients; one that lives in a module usually is not.
    """
    _open.add(owner)


@atexit.register
def _close_all() -> None:
    for owner in list(_open):
        owner._native.close()


class Caller(Generic[Native]):
    """Calls models; the base of Client and Server. Thread-safe."""

    def __init__(
        self,
        native: Native,
        model: str | None,
        version: str | None,
        timeout: float,
        models: Callable[[], list[str]] | None = None,
    ) -> None:
        if not timeout > 0:
            raise ValueError(f"timeout is {timeout:g} s, expected more than 0")
        self._native = native
        self._model = model
        self._version = version
        self._timeout = timeout
        self._models = models or native.models
        # Keyed by name and version as they were requested.
        self._signatures: dict[tuple[str | None, str | None], Model] = {}
        self._lock = threading.Lock()
        close_at_exit(self)

    def infer(
        self,
        inputs: Inputs,
        *,
        model: str | None = None,
        version: str | None = None,
        outputs: Sequence[str] | None = None,
        timeout: float | None = None,
        priority: int = 0,
        id: str = "",
        parameters: Parameters | None = None,
    ) -> Answer:
        """Runs a model once, and returns all that the answer says.

        Args:
            inputs: One tensor where the model has one input, else a dict of them by input name.
                Arrays that are C-contiguous and of the model's datatype are not copied. Lists and
                scalars take the model's datatype; other arrays are cast where each value fits.
            model: Its name; may be left out where the server has one model.
            version: The latest that is ready when left out.
            outputs: Names of those wanted; all when left out.
            timeout: Seconds that the call may take: the request's deadline, known to the server
                too. The client's own when left out.
            priority: 1 is the highest; 0 is the model's default.
            id: Comes back with the answer.
            parameters: Further ones, handed to the server as they are.

        Raises:
            InvalidInput: The tensors do not fit the model.
            ModelNotFound: There is no such model.
            DeadlineExceeded: No answer in time.
            Overloaded: The server's queue is full.
            Unavailable: No server there, or it is closed, or the model is not ready.
            LeptonError: Anything else; the base of the above.
        """
        key = (model, version)
        try:
            return self._native.infer(
                self._signatures.get(key) or self._signature(key),
                inputs,
                seconds_of(timeout, self._timeout),
                priority,
                outputs,
                id,
                parameters,
            )
        except LeptonError as error:
            self._forget(key, error)
            raise

    def inference(
        self, inputs: Inputs, *, timeout: float | None = None
    ) -> Array | dict[str, Array]:
        """Runs the model once; see infer().

        Returns:
            The output's array where the model has one output, else a dict of them by name.
        """
        key = (None, None)
        try:
            outputs: Array | dict[str, Array] = self._native.inference(
                self._signatures.get(key) or self._signature(key),
                inputs,
                seconds_of(timeout, self._timeout),
            )
        except LeptonError as error:
            self._forget(key, error)
            raise
        return outputs

    def infer_many(
        self,
        inputs: Iterable[Inputs],
        *,
        concurrency: int = 8,
        progress: bool = False,
        model: str | None = None,
        version: str | None = None,
        timeout: float | None = None,
    ) -> Iterator[Answer]:
        """Runs a model on each of `inputs`, and yields the answers in their order.

        Args:
            inputs: May be endless: at most `concurrency` are taken ahead of the answers.
            concurrency: How many calls are in flight at a time.
            progress: Whether to show a progress bar on stderr.
            model: As in infer().
            version: As in infer().
            timeout: Seconds for each call.

        Raises:
            LeptonError: The error of one of the calls; those after it are canceled.
        """
        from lepton.streams import infer_many

        key = (model, version)
        signature = self._signatures.get(key) or self._signature(key)
        return infer_many(
            self._native,
            signature,
            inputs,
            concurrency,
            progress,
            seconds_of(timeout, self._timeout),
        )

    def model(self, name: str | None = None, version: str | None = None) -> Model:
        """Returns a model's inputs and outputs; the server is asked once."""
        key = (name, version)
        return self._signatures.get(key) or self._signature(key)

    def models(self) -> list[str]:
        """Returns the names of all models that are ready."""
        return self._models()

    def close(self) -> None:
        """Waits for the calls of other threads, then frees everything. May be called again."""
        self._native.close()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def _signature(self, key: tuple[str | None, str | None]) -> Model:
        """Asks the server for a model that is not known yet."""
        name = key[0] or self._model or only_model(listed(self.models))
        signature = self._native.model(name, key[1] or self._version or "")
        with self._lock:
            return self._signatures.setdefault(key, signature)

    def _forget(self, key: tuple[str | None, str | None], error: LeptonError) -> None:
        """Drops a signature that may be out of date."""
        if forgets(error):
            with self._lock:
                self._signatures.pop(key, None)


def seconds_of(timeout: float | None, default: float) -> float:
    """Returns the timeout of a call, in seconds.

    Raises:
        ValueError: It is not positive.
    """
    if timeout is None:
        return default
    if not timeout > 0:
        raise ValueError(f"timeout is {timeout:g} s, expected more than 0")
    return timeout


def listed(models: Callable[[], list[str]]) -> list[str]:
    """Returns what models() returns, to find the model that is meant if none is named.

    Raises:
        LeptonError: The server has no such route (KServe v2 has none; Lepton's is "/").
    """
    try:
        return models()
    except LeptonError as error:
        if error.code not in ("model_not_found", "unsupported", "method_not_allowed"):
            raise
        raise LeptonError(
            "the server does not list its models; name one: model=...", code=error.code
        ) from None


def only_model(names: list[str]) -> str:
    """Returns the model that is meant if none is named.

    Raises:
        ModelNotFound: There is none.
        InvalidInput: There are several.
    """
    if len(names) == 1:
        return names[0]
    if not names:
        raise ModelNotFound("the server has no model that is ready")
    raise InvalidInput(
        f"the server has {len(names)} models ({', '.join(sorted(names))}); name one: model=..."
    )


def forgets(error: LeptonError) -> bool:
    """Whether an error may be due to a signature that the server no longer has."""
    return isinstance(error, (InvalidInput, ModelNotFound, Unavailable))

"""The calls that clients and in-process servers share."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar, overload

import numpy as np

from lepton import _native, arguments
from lepton.answers import Answer, Model
from lepton.datatypes import Array
from lepton.errors import InvalidInput, LeptonError, ModelNotFound, Unavailable

# One tensor, or several by name. Anything that lepton takes: arrays of numpy, torch or any other
# library that speaks DLPack or the buffer protocol, nested lists, scalars, str and bytes.
Inputs: TypeAlias = Any
Parameters: TypeAlias = "Mapping[str, bool | int | float | str]"
# A model's name and version as they were requested.
Key: TypeAlias = "tuple[str | None, str | None]"

Native = TypeVar("Native", bound="_native.Client | _native.Server")


DEFAULT: Key = (None, None)  # The client's own.


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
        where: str,
        model: str | None,
        version: str | None,
        timeout: float,
        models: Callable[[], list[str]] | None = None,
    ) -> None:
        self._native = native
        self._where = where
        self._closed = False
        self._model = model
        self._version = version
        self._timeout = timeout
        self._models = models or native.models
        self._signatures: dict[Key, Model] = {}
        self._lock = threading.Lock()
        close_at_exit(self)

    def infer(
        self,
        inputs: Inputs,
        *,
        model: str | None = None,
        version: str | None = None,
        outputs: str | Sequence[str] | None = None,
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
            outputs: The name of the one wanted, or several; all when left out.
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
            TypeError: An argument is of another type.
            ValueError: The timeout or the priority is not one.

        Example:
            >>> image = np.zeros((1, 1, 8, 8), np.float32)  # [batch, channels, height, width]
            >>> answer = client.infer(image, timeout=0.05)
            >>> answer.outputs["probabilities"].shape
            (1, 10)
        """
        key = key_of(model, version)
        seconds = seconds_of(timeout, self._timeout)
        options = call_options(priority, outputs, id, parameters)
        signature = self._signatures.get(key) or self._signature(key)
        try:
            return self._native.infer(signature, inputs, seconds, *options)
        except LeptonError as error:
            self._forget(key, error)
            raise explained(error, signature, inputs) from None

    @overload
    def inference(self, inputs: Inputs, *, timeout: float | None = None) -> Array: ...

    @overload
    def inference(self, inputs: Inputs, *, outputs: str, timeout: float | None = None) -> Array: ...

    @overload
    def inference(
        self, inputs: Inputs, *, outputs: Sequence[str], timeout: float | None = None
    ) -> dict[str, Array]: ...

    def inference(
        self,
        inputs: Inputs,
        *,
        outputs: str | Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> Array | dict[str, Array]:
        """Runs the model once; see infer().

        Args:
            inputs: As in infer().
            outputs: The name of the output wanted, or several.
            timeout: As in infer().

        Returns:
            The array of the output, if the model has one or `outputs` is a name; else a dict of
            arrays by name. Of a model with several outputs, type checkers know the dict if
            `outputs` names them.

        Example:
            >>> images = np.zeros((2, 1, 8, 8), np.float32)  # [batch, channels, height, width]
            >>> ai.inference(images).shape
            (2, 10)
        """
        if outputs is not None:
            named = self.infer(inputs, outputs=outputs, timeout=timeout).outputs
            return named[outputs] if isinstance(outputs, str) else named
        seconds = seconds_of(timeout, self._timeout)
        signature = self._signatures.get(DEFAULT) or self._signature(DEFAULT)
        try:
            answered: Array | dict[str, Array] = self._native.inference(signature, inputs, seconds)
        except LeptonError as error:
            self._forget(DEFAULT, error)
            raise explained(error, signature, inputs) from None
        return answered

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
            TypeError: An argument is of another type.

        Example:
            >>> images = [np.zeros((1, 1, 8, 8), np.float32) for _ in range(100)]
            >>> for answer in client.infer_many(images, concurrency=4):
            ...     print(answer.outputs["probabilities"].argmax())
        """
        from lepton.streams import infer_many

        key = key_of(model, version)
        several(inputs)
        concurrency = arguments.whole("concurrency", concurrency, 1)
        progress = arguments.flag("progress", progress)
        seconds = seconds_of(timeout, self._timeout)
        signature = self._signatures.get(key) or self._signature(key)
        return infer_many(self._native, signature, inputs, concurrency, progress, seconds)

    def model(self, name: str | None = None, version: str | None = None) -> Model:
        """Returns a model's inputs and outputs; the server is asked once.

        Example:
            >>> client.model("digits")
            Model(digits: image FP32[-1,1,8,8] -> probabilities FP32[-1,10])
        """
        key = key_of(name, version)
        return self._signatures.get(key) or self._signature(key)

    def models(self) -> list[str]:
        """Returns the names of all models that are ready."""
        return self._models()

    def ready(self) -> bool:
        """Whether all models are ready; raises Unavailable if no server answers."""
        native = self._native
        return native.ready() if isinstance(native, _native.Client) else bool(native.models())

    def close(self) -> None:
        """Waits for the calls of other threads, then frees everything. May be called again."""
        self._closed = True
        self._native.close()

    def __repr__(self) -> str:
        return described(self, self._where, self._model, self._closed)

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes it."""
        self.close()

    def _signature(self, key: Key) -> Model:
        """Asks the server for a model that is not known yet."""
        name = key[0] or self._model or only_model(listed(self.models))
        signature = self._native.model(name, key[1] or self._version or "")
        with self._lock:
            return self._signatures.setdefault(key, signature)

    def _forget(self, key: Key, error: LeptonError) -> None:
        """Drops a signature that may be out of date."""
        if forgets(error):
            with self._lock:
                self._signatures.pop(key, None)


def described(caller: object, where: str, model: str | None, closed: bool) -> str:
    """Returns what a caller is, for a person: its class, where it asks, its model and state."""
    named = "" if model is None else f', model "{model}"'
    state = "closed" if closed else "open"
    return f"<lepton.{type(caller).__name__} {where}{named}, {state}>"


def seconds_of(timeout: float | None, default: float) -> float:
    """Returns the timeout of a call, in seconds.

    Raises:
        ValueError: It is not positive.
    """
    return default if timeout is None else arguments.seconds("timeout", timeout)


def key_of(model: str | None, version: str | None) -> Key:
    """Returns what a call means by its model and version."""
    if model is None and version is None:
        return DEFAULT
    return arguments.optional_text("model", model), arguments.optional_text("version", version)


def call_options(
    priority: int, outputs: str | Sequence[str] | None, id: str, parameters: Parameters | None
) -> tuple[int, list[str] | None, str, dict[str, bool | int | float | str] | None]:
    """Returns what else a call has, as the binding takes it."""
    # What most calls have is not looked at twice.
    if type(priority) is not int or priority != 0:
        priority = arguments.whole("priority", priority, 0, arguments.MAX_PRIORITY)
    if type(id) is not str or not id.isascii():
        id = arguments.text("id", id)
    return (
        priority,
        None if outputs is None else arguments.texts("outputs", outputs),
        id,
        None if parameters is None else arguments.parameters(parameters),
    )


def several(inputs: object) -> None:
    """Checks what infer_many() takes.

    Raises:
        TypeError: It is one input, or not a series of them.
    """
    if isinstance(inputs, (Mapping, str, bytes, bytearray)):
        raise TypeError(
            f"infer_many() takes a series of inputs, not one {type(inputs).__name__}; "
            "pass [inputs], or call infer(inputs)"
        )
    try:
        if not isinstance(inputs, AsyncIterable):
            iter(inputs)  # type: ignore[call-overload]
    except TypeError:
        raise TypeError(
            f"infer_many() takes a series of inputs, such as a list, not {type(inputs).__name__}"
        ) from None


def explained(error: LeptonError, model: Model, inputs: Inputs) -> LeptonError:
    """Returns a call's error; where nothing but the batch axis is missing, one that says so."""
    if error.code != InvalidInput.code:
        return error
    if not isinstance(inputs, Mapping):
        inputs = {tensor.name: inputs for tensor in model.inputs[:1]}
    for tensor in model.inputs:
        value = inputs.get(tensor.name)
        if value is not None and _lacks_batch_axis(value, tensor.shape):
            whole = "[x]" if isinstance(value, (list, tuple)) else "x[None]"
            return type(error)(f"{error}; add a batch axis: {whole}", code=error.code)
    return error


def _lacks_batch_axis(value: Inputs, shape: tuple[int, ...]) -> bool:
    try:
        given = tuple(getattr(value, "shape", None) or np.shape(value))
    except (TypeError, ValueError):
        return False
    fits = len(given) + 1 == len(shape) and shape[0] in (-1, 1)
    return fits and all(n in (-1, m) for n, m in zip(shape[1:], given, strict=True))


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

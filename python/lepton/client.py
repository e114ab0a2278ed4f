"""The client of a Lepton server, or of any server that speaks KServe v2 over HTTP."""

from __future__ import annotations

import json
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias
from urllib.parse import quote

import numpy as np

from lepton.datatypes import NUMPY_TYPES, Array, decode, encode
from lepton.errors import (
    DeadlineExceeded,
    InvalidInput,
    LeptonError,
    ModelNotFound,
    Unavailable,
    error_for,
)
from lepton.transport import Reply, Transport

# One tensor, or several by name.
Inputs: TypeAlias = "Array | Sequence[Any] | Mapping[str, Array | Sequence[Any]]"


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model, as the server's metadata has it; -1 is any extent."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class ModelSpec:
    """What a model takes and gives."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class Answer:
    """The outputs of one inference, and where its time went.

    Attributes:
        outputs: By name, in the model's order.
        timing_ms: The server's own breakdown (`Server-Timing`), e.g. {"queue": 0.0, ...}.
    """

    outputs: dict[str, Array]
    model_name: str
    model_version: str
    timing_ms: dict[str, float] = field(default_factory=dict)


class LeptonAI:
    """Sends tensors to a model and returns its answers.

    Thread-safe: threads may share one client; each request in flight has a connection of its own,
    which is kept for the next. A process that forks makes a client after the fork.

    Args:
        url: Where the server is: "http://host:port", or "unix:/path" for its Unix domain socket.
        model: Its name; may be left out where the server has one model.
        version: The model's version; the latest when left out.
        timeout: Seconds that a request may take. The server knows it as the request's deadline, and
            does not start what cannot be done in time.

    Example:
        >>> import numpy as np
        >>> from lepton import LeptonAI
        >>> with LeptonAI("http://127.0.0.1:8000", model="digits") as client:
        ...     probabilities = client.inference(np.zeros((1, 1, 8, 8), np.float32))
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        model: str | None = None,
        *,
        version: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        if timeout <= 0:
            raise ValueError(f"timeout is {timeout:g} s, expected more than 0")
        self._transport = Transport(url, timeout)
        self._model = model
        self._version = version
        self._timeout = timeout
        self._spec: ModelSpec | None = None
        self._spec_lock = threading.Lock()

    def inference(
        self, inputs: Inputs, *, timeout: float | None = None
    ) -> Array | dict[str, Array]:
        """Runs the model once.

        Args:
            inputs: An array or nested list where the model has one input, else a dict of them by
                input name. The first axis is the batch where the model has one. Lists take the
                model's type; arrays must have it, or one that numpy casts to it within its kind.
            timeout: Seconds for this request instead of the client's.

        Returns:
            The output's array where the model has one output, else a dict of them by name.

        Raises:
            InvalidInput: The tensors do not fit the model.
            ModelNotFound: The server has no such model.
            DeadlineExceeded: No answer in time.
            Overloaded: The server's queue is full.
            Unavailable: No server there, or the model is not ready.
            LeptonError: Anything else; the base of the above.

        Example:
            >>> client.inference([[[[0.0] * 8] * 8]]).shape
            (1, 10)
        """
        outputs = self.infer(inputs, timeout=timeout).outputs
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def infer(self, inputs: Inputs, *, timeout: float | None = None) -> Answer:
        """Runs the model once and returns all that the answer says; see inference()."""
        seconds = self._timeout if timeout is None else timeout
        if seconds <= 0:
            raise ValueError(f"timeout is {seconds:g} s, expected more than 0")
        spec = self.spec()
        header: dict[str, Any] = {"parameters": {"binary_data_output": True}, "inputs": []}
        pieces: list[bytes | memoryview] = [b""]
        for tensor, array in _match(spec, inputs):
            try:
                data = encode(array, tensor.datatype)
            except ValueError as error:
                raise InvalidInput(f'input "{tensor.name}": {error}') from None
            header["inputs"].append(
                {
                    "name": tensor.name,
                    "datatype": tensor.datatype,
                    "shape": list(array.shape),
                    "parameters": {"binary_data_size": len(data)},
                }
            )
            pieces.append(data)
        pieces[0] = json.dumps(header, separators=(",", ":")).encode()
        reply = self._transport.request(
            "POST",
            f"{self._model_path(spec.name)}/infer",
            pieces,
            {
                "Content-Type": "application/octet-stream",
                "Inference-Header-Content-Length": str(len(pieces[0])),
                "x-request-timeout-ms": f"{max(1, round(seconds * 1000))}",
            },
            seconds,
        )
        _raise_for(reply)
        return _read_answer(reply)

    def spec(self) -> ModelSpec:
        """Returns what the model takes and gives; asked of the server once."""
        with self._spec_lock:
            if self._spec is None:
                name = self._model or self._only_model()
                metadata = self._get_json(self._model_path(name))
                try:
                    self._spec = ModelSpec(
                        metadata["name"],
                        tuple(_tensor_spec(tensor) for tensor in metadata["inputs"]),
                        tuple(_tensor_spec(tensor) for tensor in metadata["outputs"]),
                    )
                except (KeyError, TypeError) as error:
                    raise LeptonError(
                        f'metadata of model "{name}" lacks what KServe v2 asks for: {error}'
                    ) from None
            return self._spec

    def models(self) -> list[str]:
        """Returns the names of the server's models.

        Raises:
            LeptonError: The server does not say (KServe v2 has no route for it; Lepton's is "/").
        """
        try:
            return [str(name) for name in self._get_json("/")["models"]]
        except (KeyError, TypeError, LeptonError) as error:
            if isinstance(error, (DeadlineExceeded, Unavailable)):
                raise
            raise LeptonError(
                f"the server at {self._transport.url} does not list its models; name one: model=..."
            ) from None

    def close(self) -> None:
        """Closes the connections; using the client afterwards raises LeptonError."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Returns the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connections."""
        self.close()

    def _only_model(self) -> str:
        names = self.models()
        if len(names) == 1:
            return names[0]
        if not names:
            raise ModelNotFound(f"the server at {self._transport.url} has no model that is ready")
        raise InvalidInput(
            f"the server has {len(names)} models ({', '.join(sorted(names))}); name one: model=..."
        )

    def _model_path(self, name: str) -> str:
        path = f"/v2/models/{quote(name, safe='')}"
        return path if self._version is None else f"{path}/versions/{quote(self._version, safe='')}"

    def _get_json(self, path: str) -> Any:  # noqa: ANN401 - JSON
        reply = self._transport.request("GET", path)
        _raise_for(reply)
        try:
            return json.loads(reply.body)
        except ValueError:
            raise LeptonError(f"answer to GET {path} is no JSON", status=reply.status) from None


def _tensor_spec(tensor: dict[str, Any]) -> TensorSpec:
    shape = tuple(int(extent) for extent in tensor["shape"])
    return TensorSpec(tensor["name"], tensor["datatype"], shape)


def _match(spec: ModelSpec, inputs: Inputs) -> list[tuple[TensorSpec, Array]]:
    """Returns each input of the model with its array, in the model's type."""
    by_name = {tensor.name: tensor for tensor in spec.inputs}
    if not isinstance(inputs, Mapping):
        if len(by_name) != 1:
            raise InvalidInput(
                f'model "{spec.name}" has {len(by_name)} inputs ({", ".join(by_name)}); '
                "give a dict of arrays by name"
            )
        inputs = {spec.inputs[0].name: inputs}
    unknown = [name for name in inputs if name not in by_name]
    if unknown:
        raise InvalidInput(
            f'model "{spec.name}" has no input "{unknown[0]}"; it has: {", ".join(by_name)}'
        )
    return [(by_name[name], _as_type(by_name[name], value)) for name, value in inputs.items()]


def _as_type(tensor: TensorSpec, value: Array | Sequence[Any]) -> Array:
    kind = NUMPY_TYPES.get(tensor.datatype)
    if kind is None:
        raise InvalidInput(f'input "{tensor.name}" has datatype {tensor.datatype}, not known here')
    wanted = np.dtype(kind)
    try:
        if not isinstance(value, (np.ndarray, np.generic)):
            return np.asarray(value, dtype=wanted)
        array = np.asarray(value)
        if array.dtype == wanted:
            return array
        if tensor.datatype == "BYTES" and array.dtype.kind in "SU":
            return array.astype(np.object_)
        # Within a kind (float64 to float32) or upwards (uint8 to float32), never float to integer.
        return array.astype(wanted, casting="same_kind")
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(
            f'input "{tensor.name}" takes {tensor.datatype} {list(tensor.shape)}: {error}'
        ) from None


def _read_answer(reply: Reply) -> Answer:
    """Returns the outputs: JSON, then the raw tensors in its order (binary tensor extension)."""
    body = memoryview(reply.body)
    size = reply.headers.get("Inference-Header-Content-Length")
    try:
        json_size = len(body) if size is None else int(size)
        header = json.loads(bytes(body[:json_size]))
        at, outputs = json_size, dict[str, Array]()
        for output in header["outputs"]:
            name, datatype, shape = output["name"], output["datatype"], output["shape"]
            binary = output.get("parameters", {}).get("binary_data_size")
            if binary is None:
                outputs[name] = np.array(output["data"], NUMPY_TYPES[datatype]).reshape(shape)
                continue
            outputs[name] = decode(body[at : at + binary], datatype, shape)
            at += binary
        return Answer(
            outputs,
            header["model_name"],
            header.get("model_version", ""),
            read_timing(reply.headers.get("Server-Timing", "")),
        )
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise LeptonError(f"answer is no KServe v2 response: {error}") from None


def read_timing(header: str) -> dict[str, float]:
    """Reads "net;dur=0.1, queue;dur=0" (W3C Server Timing); what is not a duration is left out."""
    timing: dict[str, float] = {}
    for metric in header.split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "dur":
                try:
                    timing[name] = float(value.strip().strip('"'))
                except ValueError:
                    continue
    return timing


def _raise_for(reply: Reply) -> None:
    if reply.status == 200:
        return
    try:
        message = str(json.loads(reply.body)["error"])
    except (ValueError, KeyError, TypeError):
        text = reply.body[:200].decode(errors="replace").strip()
        message = f"status {reply.status}" + (f": {text}" if text else "")
    try:
        retry_after = float(reply.headers["Retry-After"])
    except (TypeError, ValueError):
        retry_after = None
    raise error_for(reply.status, message, retry_after)

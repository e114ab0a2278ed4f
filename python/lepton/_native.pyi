"""The C++ client and the in-process server; lepton is the face of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing


class TensorSpec:
    """One input or output of a model."""

    @property
    def name(self) -> str: ...

    @property
    def datatype(self) -> str:
        """The protocol's name: FP32, INT64, BYTES, ..."""

    @property
    def shape(self) -> tuple[int, ...]:
        """With the batch axis; -1 is any extent."""

    def __repr__(self) -> str: ...

class Model:
    """What a model takes and gives."""

    @property
    def name(self) -> str: ...

    @property
    def versions(self) -> tuple[str, ...]:
        """Those that are ready, ascending."""

    @property
    def platform(self) -> str: ...

    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def properties(self) -> dict[str, str]:
        """How it is run, for a person."""

    def __repr__(self) -> str: ...

class Answer:
    """The outputs of one inference, and where its time went."""

    @property
    def outputs(self) -> dict[str, numpy.typing.NDArray[Any]]:
        """By name, in the model's order, or in the order asked for."""

    @property
    def model_name(self) -> str: ...

    @property
    def model_version(self) -> str:
        """The one that answered."""

    @property
    def id(self) -> str:
        """That of the request."""

    @property
    def timing_ms(self) -> dict[str, float]:
        """
        The server's breakdown: net, queue, input, compute, output; empty where it gives none.
        """

class Completions:
    """Calls that have ended, until they are taken. Watch fileno()."""

    def __init__(self) -> None: ...

    def take(self) -> list[tuple[Any, Answer | Exception]]:
        """Those that have ended: the token of each, and its answer or exception."""

    def wait(self) -> None:
        """Waits until there is one to take."""

    def fileno(self) -> int:
        """Readable while there are some to take."""

class RetryOptions:
    """
    When a failed attempt is made again: where the connection was refused or cut, or the
    server says that it did not run the request. `budget_ratio` bounds the retries per call,
    averaged. Times are in seconds.
    """

    def __init__(self, *, max_attempts: int = 3, budget_ratio: float = 0.2, budget_burst: int = 10, backoff: float = 0.01, max_backoff: float = 1.0) -> None: ...

class HedgeOptions:
    """
    A second request, to another endpoint where there is one, when the first takes longer
    than `quantile` of those before did, and `min_delay` seconds at least.
    """

    def __init__(self, *, quantile: float = 0.95, min_delay: float = 0.001, budget_ratio: float = 0.1) -> None: ...

class TlsOptions:
    """
    For https:// and grpcs://. Files are PEM; `ca_file` is the system's where it is empty.
    """

    def __init__(self, *, ca_file: str = '', certificate_file: str = '', key_file: str = '', server_name: str = '', verify: bool = True) -> None: ...

class Call:
    """A call that was started."""

    def cancel(self) -> None:
        """Ends it with an error, unless it has ended."""

class Client:
    """Calls models on servers; see lepton.Client."""

    def __init__(self, endpoints: Sequence[str], timeout: float, connect_timeout: float, max_connections: int, retry: RetryOptions, hedge: HedgeOptions | None, tls: TlsOptions) -> None: ...

    def models(self) -> list[str]: ...

    def live(self) -> bool: ...

    def ready(self) -> bool: ...

    def model_ready(self, arg0: str, arg1: str, /) -> bool: ...

    def statistics(self) -> dict[str, int]: ...

    def infer(self, model: Model, inputs: Any, timeout: float, priority: int, outputs: Sequence[str] | None, id: str, parameters: Mapping[str, bool | int | float | str] | None) -> Answer:
        """One inference, while other threads of Python run."""

    def inference(self, model: Model, inputs: Any, timeout: float) -> Any:
        """The same; the array where there is one output, else a dict of them."""

    def start(self, model: Model, inputs: Any, timeout: float, priority: int, outputs: Sequence[str] | None, id: str, parameters: Mapping[str, bool | int | float | str] | None, completions: Completions, token: Any) -> Call | None:
        """
        Begins one inference, whose end is put into `completions` together with `token`.
        """

    def model(self, name: str, version: str = '') -> Model: ...

    def close(self) -> None:
        """Waits for the calls that are in it. May be repeated."""

class Server:
    """Runs models in this process; see lepton.Server."""

    def __init__(self, services: Sequence[str], cores: int, cache_dir: str, engines_dir: str, log_level: str, strict_readiness: bool) -> None: ...

    def models(self) -> list[str]: ...

    def metrics(self) -> str: ...

    def slow_requests(self, model: str, limit: int) -> str: ...

    def load(self, arg: str, /) -> None: ...

    def unload(self, arg: str, /) -> None: ...

    def infer(self, model: Model, inputs: Any, timeout: float, priority: int, outputs: Sequence[str] | None, id: str, parameters: Mapping[str, bool | int | float | str] | None) -> Answer:
        """One inference, while other threads of Python run."""

    def inference(self, model: Model, inputs: Any, timeout: float) -> Any:
        """The same; the array where there is one output, else a dict of them."""

    def start(self, model: Model, inputs: Any, timeout: float, priority: int, outputs: Sequence[str] | None, id: str, parameters: Mapping[str, bool | int | float | str] | None, completions: Completions, token: Any) -> Call | None:
        """
        Begins one inference, whose end is put into `completions` together with `token`.
        """

    def model(self, name: str, version: str = '') -> Model: ...

    def close(self) -> None:
        """Waits for the calls that are in it. May be repeated."""

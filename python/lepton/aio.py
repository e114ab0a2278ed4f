"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Self

from lepton._native import Answer, Completions, HedgeOptions, Model, RetryOptions, TlsOptions
from lepton.calls import Inputs, Parameters, close_at_exit, forgets, listed, only_model, seconds_of
from lepton.client import model_lister, open_client
from lepton.datatypes import Array
from lepton.errors import LeptonError


class AsyncClient:
    """Calls models on one or several servers from asyncio; takes the same arguments as Client.

    Belongs to the event loop that first awaits it. One thread of the client makes the calls and
    never waits for Python: it makes a file descriptor readable, once for all calls that end in a
    turn of the loop. Canceling the task that awaits a call cancels the call.

    Example:
        >>> async with AsyncClient("http://127.0.0.1:8000", "digits") as client:
        ...     answers = await asyncio.gather(*(client.infer(image) for image in images))
    """

    def __init__(
        self,
        endpoints: str | Sequence[str] | None = None,
        model: str | None = None,
        *,
        version: str | None = None,
        timeout: float = 30.0,
        connect_timeout: float = 5.0,
        max_connections: int = 256,
        retry: RetryOptions | None = None,
        hedge: HedgeOptions | None = None,
        tls: TlsOptions | None = None,
    ) -> None:
        self._native = open_client(
            endpoints, timeout, connect_timeout, max_connections, retry, hedge, tls
        )
        self._models = model_lister(self._native, endpoints, tls)
        self._default_model = model
        self._version = version
        self._timeout = timeout
        self._signatures: dict[tuple[str | None, str | None], Model] = {}
        self._completions = Completions()
        self._loop: asyncio.AbstractEventLoop | None = None
        close_at_exit(self)

    async def infer(
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
        """Runs a model once; see Client.infer()."""
        key = (model, version)
        signature = self._signatures.get(key) or await self.model(model, version)
        future: asyncio.Future[Answer] = self._watch().create_future()
        call = self._native.start(
            signature,
            inputs,
            seconds_of(timeout, self._timeout),
            priority,
            outputs,
            id,
            parameters,
            self._completions,
            future,
        )
        try:
            return await future
        except asyncio.CancelledError:
            if call is not None:
                call.cancel()
            raise
        except LeptonError as error:
            if forgets(error):
                self._signatures.pop(key, None)
            raise

    async def inference(
        self, inputs: Inputs, *, timeout: float | None = None
    ) -> Array | dict[str, Array]:
        """Runs the model once; returns its output, or a dict where it has several."""
        outputs = (await self.infer(inputs, timeout=timeout)).outputs
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    async def model(self, name: str | None = None, version: str | None = None) -> Model:
        """Returns a model's inputs and outputs; the server is asked once."""
        key = (name, version)
        if key not in self._signatures:
            wanted = name or self._default_model
            if wanted is None:
                wanted = only_model(await asyncio.to_thread(listed, self._models))
            self._signatures[key] = await asyncio.to_thread(
                self._native.model, wanted, version or self._version or ""
            )
        return self._signatures[key]

    async def models(self) -> list[str]:
        """Returns the names of all models that are ready."""
        return await asyncio.to_thread(self._models)

    async def close(self) -> None:
        """Cancels the calls in flight. May be called again."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._completions.fileno())
        await asyncio.to_thread(self._native.close)
        self._collect()

    async def __aenter__(self) -> Self:
        """Returns the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes the client."""
        await self.close()

    def _watch(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            loop.add_reader(self._completions.fileno(), self._collect)
            self._loop = loop
        elif self._loop is not loop:
            raise RuntimeError("the client belongs to another event loop; make one for this loop")
        return loop

    def _collect(self) -> None:
        """Gives the ended calls to the tasks that await them."""
        ended: list[tuple[Any, Answer | Exception]] = self._completions.take()
        for future, outcome in ended:
            if future.done():  # Canceled.
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

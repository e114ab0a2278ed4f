"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import Any, Self, overload

from lepton import arguments
from lepton._native import Completions
from lepton.answers import Answer, Model
from lepton.calls import (
    Inputs,
    Key,
    Parameters,
    call_options,
    close_at_exit,
    described,
    explained,
    forgets,
    key_of,
    listed,
    only_model,
    seconds_of,
    several,
)
from lepton.client import at, model_lister, open_client
from lepton.datatypes import Array
from lepton.errors import LeptonError, Unavailable
from lepton.options import HedgeOptions, RetryOptions, TlsOptions


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
        self._where = at(endpoints)
        self._closed = False
        self._default_model = arguments.optional_text("model", model)
        self._version = arguments.optional_text("version", version)
        self._timeout = arguments.seconds("timeout", timeout)
        self._signatures: dict[Key, Model] = {}
        self._completions = Completions()
        self._loop: asyncio.AbstractEventLoop | None = None
        close_at_exit(self)

    async def infer(
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
        """Runs a model once; see Client.infer()."""
        key = key_of(model, version)
        seconds = seconds_of(timeout, self._timeout)
        options = call_options(priority, outputs, id, parameters)
        signature = self._signatures.get(key) or await self.model(model, version)
        # None begins while close() runs in its thread: each would wait for the other.
        if self._closed:
            raise Unavailable("the client is closed; make another one")
        future: asyncio.Future[Answer] = self._watch().create_future()
        call = None
        try:
            call = self._native.start(
                signature, inputs, seconds, *options, self._completions, future
            )
            return await future
        except asyncio.CancelledError:
            if call is not None:
                call.cancel()
            raise
        except LeptonError as error:
            if forgets(error):
                self._signatures.pop(key, None)
            raise explained(error, signature, inputs) from None

    @overload
    async def inference(self, inputs: Inputs, *, timeout: float | None = None) -> Array: ...

    @overload
    async def inference(
        self, inputs: Inputs, *, outputs: str, timeout: float | None = None
    ) -> Array: ...

    @overload
    async def inference(
        self, inputs: Inputs, *, outputs: Sequence[str], timeout: float | None = None
    ) -> dict[str, Array]: ...

    async def inference(
        self,
        inputs: Inputs,
        *,
        outputs: str | Sequence[str] | None = None,
        timeout: float | None = None,
    ) -> Array | dict[str, Array]:
        """Runs the model once; returns its output, or a dict of several; see Client.inference()."""
        named = (await self.infer(inputs, outputs=outputs, timeout=timeout)).outputs
        if isinstance(outputs, str) or (outputs is None and len(named) == 1):
            return next(iter(named.values()))
        return named

    def infer_many(
        self,
        inputs: Iterable[Inputs] | AsyncIterable[Inputs],
        *,
        concurrency: int = 8,
        model: str | None = None,
        version: str | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Answer]:
        """Runs a model on each of `inputs`, and yields the answers in their order.

        Args:
            inputs: May be endless, and asynchronous: at most `concurrency` are taken ahead of the
                answers.
            concurrency: How many calls are in flight at a time.
            model: As in infer().
            version: As in infer().
            timeout: Seconds for each call.

        Raises:
            LeptonError: The error of one of the calls; those after it are canceled.
            TypeError: An argument is of another type.

        Example:
            >>> async for answer in client.infer_many(images, concurrency=4):
            ...     print(answer.outputs["probabilities"].argmax())
        """
        key_of(model, version)
        several(inputs)
        seconds = seconds_of(timeout, self._timeout)
        return self._stream(
            inputs, arguments.whole("concurrency", concurrency, 1), model, version, seconds
        )

    async def _stream(
        self,
        inputs: Iterable[Inputs] | AsyncIterable[Inputs],
        concurrency: int,
        model: str | None,
        version: str | None,
        seconds: float,
    ) -> AsyncIterator[Answer]:
        calls: deque[asyncio.Task[Answer]] = deque()
        try:
            async for values in _each(inputs):
                call = self.infer(values, model=model, version=version, timeout=seconds)
                calls.append(asyncio.create_task(call))
                if len(calls) == concurrency:
                    yield await calls.popleft()
            while calls:
                yield await calls.popleft()
        finally:
            # A caller that stops half-way wants no more of them.
            for rest in calls:
                rest.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    async def model(self, name: str | None = None, version: str | None = None) -> Model:
        """Returns a model's inputs and outputs; the server is asked once."""
        key = key_of(name, version)
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

    async def live(self) -> bool:
        """Whether the server says that it is alive; raises Unavailable if none answers."""
        return await asyncio.to_thread(self._native.live)

    async def ready(self) -> bool:
        """Whether all models are ready; raises Unavailable if no server answers."""
        return await asyncio.to_thread(self._native.ready)

    async def model_ready(self, name: str, version: str = "") -> bool:
        """Whether the server says that the model is ready."""
        return await asyncio.to_thread(
            self._native.model_ready,
            arguments.text("name", name),
            arguments.text("version", version),
        )

    def statistics(self) -> dict[str, int]:
        """Returns what the client has done so far: calls, failures, retries, hedges, ..."""
        return self._native.statistics()

    async def close(self) -> None:
        """Cancels the calls in flight. May be called again."""
        self._closed = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._completions.fileno())
        await asyncio.to_thread(self._native.close)
        self._collect()

    def __repr__(self) -> str:
        return described(self, self._where, self._default_model, self._closed)

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


async def _each(inputs: Iterable[Inputs] | AsyncIterable[Inputs]) -> AsyncIterator[Inputs]:
    """Yields the elements of a series, asynchronous or not."""
    if isinstance(inputs, AsyncIterable):
        async for values in inputs:
            yield values
    else:
        for values in inputs:
            yield values

"""AsyncClient against the real server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from lepton_server import LeptonServer

from lepton import (
    AsyncClient,
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    ModelNotFound,
    Unavailable,
)


@pytest.fixture(params=["http", "grpc"])
def url(request: pytest.FixtureRequest, server: LeptonServer) -> str:
    return f"{request.param}://{server.address}"


def run(
    url: str, body: Callable[[AsyncClient], Coroutine[Any, Any, None]], model: str = "four"
) -> None:
    async def main() -> None:
        async with AsyncClient(url, model) as client:
            await body(client)

    asyncio.run(main())


@asynccontextmanager
async def counting() -> AsyncIterator[Callable[[], int]]:
    """Counts the turns of a task that wakes every millisecond."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    task = asyncio.create_task(count())
    yield lambda: turns
    task.cancel()


def test_calls_of_many_tasks_each_get_their_own_answer(url: str) -> None:
    async def body(client: AsyncClient) -> None:
        values = [np.full((1, 4), i, np.float32) for i in range(100)]
        answers = await asyncio.gather(*(client.infer(value, id="n") for value in values))
        for value, answer in zip(values, answers, strict=True):
            assert np.array_equal(answer.outputs["y"], value)
            assert answer.id == "n"
        assert np.array_equal(await client.inference(values[7]), values[7])

    run(url, body)


def test_loop_runs_on_while_a_call_waits(url: str) -> None:
    async def body(client: AsyncClient) -> None:
        async with counting() as turns:
            await client.infer(np.zeros((100, 4), np.float32))  # 200 ms.
            assert turns() > 50

    run(url, body, "slow")


def test_cancelled_task_cancels_its_call(url: str, server: LeptonServer) -> None:
    before = server.requests_of("slow", "cancelled")

    async def body(client: AsyncClient) -> None:
        await client.model()
        # The second one waits for the first, so that it can be dropped before it runs.
        first = asyncio.create_task(client.infer(np.zeros((100, 4), np.float32)))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(client.infer(np.zeros((1, 4), np.float32)))
        await asyncio.sleep(0.05)
        second.cancel()
        start = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert time.monotonic() - start < 0.05
        await first
        await client.infer(np.zeros((1, 4), np.float32))

    run(url, body, "slow")
    server.wait_for_outcome("slow", "cancelled", before + 1)


def test_asyncios_own_timeout_works(url: str) -> None:
    async def body(client: AsyncClient) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.infer(np.zeros((200, 4), np.float32))
        with pytest.raises(DeadlineExceeded):
            await client.infer(np.zeros((200, 4), np.float32), timeout=0.05)

    run(url, body, "slow")


def test_errors_are_raised_where_the_call_is_awaited(url: str) -> None:
    async def body(client: AsyncClient) -> None:
        with pytest.raises(InvalidInput, match=r"\[1,5\]"):
            await client.infer(np.zeros((1, 5), np.float32))
        with pytest.raises(InvalidInput, match="no input"):
            await client.infer({"z": [1]})
        with pytest.raises(ModelNotFound, match="nothing"):
            await client.infer([1], model="nothing")
        with pytest.raises(ValueError, match="timeout"):
            await client.infer([1], timeout=-1)
        assert (await client.infer([[1, 2, 3, 4]])).outputs["y"].tolist() == [[1, 2, 3, 4]]

    run(url, body)


def test_closing_ends_the_calls_in_flight(url: str) -> None:
    async def main() -> None:
        client = AsyncClient(url, "slow")
        await client.model()
        call = asyncio.create_task(client.infer(np.zeros((200, 4), np.float32)))
        await asyncio.sleep(0.05)
        start = time.monotonic()
        await client.close()
        with pytest.raises(Cancelled):
            await call
        assert time.monotonic() - start < 0.3
        with pytest.raises(Unavailable, match="closed"):
            await client.infer(np.zeros((1, 4), np.float32))
        await client.close()

    asyncio.run(main())


def test_client_of_another_loop_says_so(url: str) -> None:
    client = AsyncClient(url, "four")

    async def call() -> None:
        await client.infer([[1, 2, 3, 4]])

    asyncio.run(call())
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(call())
    asyncio.run(client.close())


def test_interpreter_ends_in_peace_with_an_open_client(url: str) -> None:
    code = """
        import asyncio, sys
        from lepton import AsyncClient
        client = AsyncClient(sys.argv[1], "slow")

        async def main():
            await client.model()
            global left
            left = asyncio.create_task(client.infer([[1, 2, 3, 4]] * 100))
            await asyncio.sleep(0.02)

        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), url],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")

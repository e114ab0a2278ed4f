"""Whatever is passed to the SDK: a wrong argument is named, in words that are not the binding's."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_server import FakeServer, refuse_other_shapes

import lepton
from lepton import (
    AsyncClient,
    Client,
    HedgeOptions,
    InvalidInput,
    LeptonAI,
    LeptonError,
    RetryOptions,
    Server,
    TlsOptions,
    Unavailable,
    serving,
)

NAN = float("nan")
ANYTHING: list[Any] = [
    *(None, True, NAN, float("inf"), -1, 0, 1.5, 10**30, -(10**30), 1e300, 10**400),
    *("", "x", "a" * 5000, "\ud800", "a\0b", b"x", b"", [], [1], [None], (1,), {}, {"a": 1}),
    *({1: 2}, object(), np.zeros(3), np.float32(-1), Path("no such")),
]
BINDING = re.compile(r"nanobind|incompatible function|_native|std::|unhashable|not iterable")
X = [[1.0, 2.0]]


def check(call: Callable[[], object], *, named: str = "") -> None:
    """A call succeeds, or says what is wrong in words of its own."""
    try:
        call()
    except (LeptonError, ValueError, TypeError, OverflowError) as error:
        assert not BINDING.search(str(error)), error
        if isinstance(error, TypeError):
            assert named in str(error), error


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind, names in {
            RetryOptions: "max_attempts budget_ratio budget_burst backoff max_backoff",
            HedgeOptions: "quantile min_delay budget_ratio",
            TlsOptions: "ca_file certificate_file key_file server_name verify",
        }.items()
        for name in names.split()
    ],
)
def test_options_name_what_they_do_not_take(kind: type, name: str) -> None:
    for value in ANYTHING:
        check(lambda value=value: kind(**{name: value}), named=name)


SHARED = ("endpoints", "model", "version", "timeout", "connect_timeout", "max_connections")


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in (Client, AsyncClient) for name in (*SHARED, "retry", "hedge", "tls")]
    + [(LeptonAI, name) for name in ("url", "model", "version", "timeout")],
)
def test_clients_name_what_they_do_not_take(server: FakeServer, kind: type, name: str) -> None:
    where = "url" if kind is LeptonAI else "endpoints"
    for value in ANYTHING:
        check(lambda value=value: kind(**{where: server.url, name: value}), named=name)


@pytest.mark.parametrize(
    "name",
    [
        "services",
        "model",
        "version",
        "timeout",
        "cores",
        "cache_dir",
        "log_level",
        "strict_readiness",
    ],
)
def test_server_names_what_it_does_not_take(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # Some of them are names of files.
    for value in ANYTHING:
        given = {"services": tmp_path / "none", name: value}
        check(lambda given=given: Server(**given), named=name)


@pytest.mark.parametrize(
    "name", ["folder", "options", "host", "port", "timeout", "wrapper", "environment"]
)
def test_serving_names_what_it_does_not_take(tmp_path: Path, name: str) -> None:
    def run(value: Any) -> None:
        given = {"folder": tmp_path, "binary": "/bin/false", name: value}
        options = (given.pop("options"),) if name == "options" else ()
        with serving(given.pop("folder"), *options, **given):
            pass

    for value in ANYTHING:
        check(lambda value=value: run(value), named=name)


NAMES = ["inputs", "model", "version", "outputs", "timeout", "priority", "id", "parameters"]


@pytest.mark.parametrize("name", NAMES)
def test_calls_name_what_they_do_not_take(server: FakeServer, name: str) -> None:
    with Client(server.url, "m") as client:
        for value in ANYTHING:
            given = {"inputs": X, name: value}
            check(lambda given=given: client.infer(**given), named="" if name == "inputs" else name)


@pytest.mark.parametrize("name", NAMES)
def test_calls_of_asyncio_name_what_they_do_not_take(server: FakeServer, name: str) -> None:
    async def run() -> None:
        async with AsyncClient(server.url, "m") as client:
            for value in ANYTHING:
                try:
                    outcome: object = await client.infer(**{"inputs": X, name: value})
                except (LeptonError, ValueError, TypeError) as error:
                    outcome = error
                assert not BINDING.search(str(outcome)), outcome

    asyncio.run(run())


@pytest.mark.parametrize(
    "name", ["inputs", "concurrency", "progress", "model", "version", "timeout"]
)
def test_infer_many_names_what_it_does_not_take(server: FakeServer, name: str) -> None:
    with Client(server.url, "m") as client:
        for value in ANYTHING:
            given = {"inputs": [X], name: value}
            check(lambda given=given: list(client.infer_many(**given)))


def test_names_of_models_are_str(server: FakeServer) -> None:
    with Client(server.url, "m") as client:
        for value in ANYTHING:
            check(lambda value=value: client.model(value), named="model")
            check(lambda value=value: client.model("m", value), named="version")
            check(lambda value=value: client.model_ready(value), named="name")
            check(lambda value=value: client.model_ready("m", value), named="version")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"priority": -1}, "priority must be from 0 to 4294967295, not -1"),
        ({"priority": "high"}, "priority must be a whole number, not 'high' of type str"),
        ({"timeout": "1s"}, "timeout must be a number of seconds, not '1s' of type str"),
        ({"timeout": -1}, "timeout must be more than 0 seconds, not -1"),
        ({"outputs": 3}, "outputs must be a str or a list of them, not 3 of type int"),
        ({"id": 7}, "id must be a str, not 7 of type int"),
        ({"version": 1}, "version must be a str, not 1 of type int"),
        ({"parameters": {"a": [1]}}, 'parameter "a" must be a bool, int, float or str, not [1]'),
    ],
)
def test_message_says_what_it_must_be_and_what_came(
    server: FakeServer, given: dict[str, Any], message: str
) -> None:
    with (
        Client(server.url, "m") as client,
        pytest.raises((TypeError, ValueError), match="^" + re.escape(message)),
    ):
        client.infer(X, **given)


def test_one_output_may_be_named_alone(server: FakeServer) -> None:
    with LeptonAI(server.url, "m") as client:
        (name,) = client.infer(X).outputs
        assert list(client.infer(X, outputs=name).outputs) == [name]
        assert np.array_equal(client.inference(X, outputs=name), X)
        assert np.array_equal(client.inference(X, outputs=[name])[name], X)


@pytest.mark.parametrize("one", [{"x": X}, "text", b"text"])
def test_infer_many_of_one_input_says_so(server: FakeServer, one: object) -> None:
    with Client(server.url, "m") as client, pytest.raises(TypeError, match=r"pass \[inputs\]"):
        client.infer_many(one)
    async_client = AsyncClient(server.url, "m")
    with pytest.raises(TypeError, match=r"pass \[inputs\]"):
        async_client.infer_many(one)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (np.zeros(2, np.float32), r"; add a batch axis: x\[None\]$"),
        ([1.0, 2.0], r"; add a batch axis: \[x\]$"),
        ({"x": np.zeros(2)}, r"; add a batch axis: x\[None\]$"),
        (np.zeros(3, np.float32), r"takes \[-1,2\]$"),
        (np.zeros((1, 3), np.float32), r"takes \[-1,2\]$"),
        (1.0, r"takes \[-1,2\]$"),
    ],
)
def test_missing_batch_axis_is_what_is_said(server: FakeServer, value: Any, hint: str) -> None:
    server.on_infer = refuse_other_shapes
    with Client(server.url, "m") as client:
        for call in (client.infer, client.inference, lambda x: list(client.infer_many([x]))):
            with pytest.raises(InvalidInput, match=hint) as caught:
                call(value)
            assert caught.value.code == "invalid_argument"

    async def run() -> None:
        async with AsyncClient(server.url, "m") as client:
            await client.inference(value)

    with pytest.raises(InvalidInput, match=hint):
        asyncio.run(run())


def test_asyncio_streams_in_order_and_stops_with_its_reader(server: FakeServer) -> None:
    taken = []

    async def rows() -> Any:
        for number in range(1000):
            taken.append(number)
            yield [[float(number), 0.0]]

    async def run() -> list[float]:
        first = []
        async with AsyncClient(server.url, "m") as client:
            assert await client.ready()
            assert await client.live()
            assert await client.model_ready("m")
            answers = [a async for a in client.infer_many([X] * 5, concurrency=2)]
            assert len(answers) == 5
            async for answer in client.infer_many(rows(), concurrency=4):
                first.append(next(iter(answer.outputs.values()))[0, 0])
                if len(first) == 10:
                    break
        return first

    assert asyncio.run(run()) == list(range(10))
    assert len(taken) < 20


def test_asyncio_stream_ends_with_the_first_error(server: FakeServer) -> None:
    server.on_infer = refuse_other_shapes

    async def run() -> list[object]:
        seen: list[object] = []
        async with AsyncClient(server.url, "m") as client:
            with pytest.raises(InvalidInput, match="batch axis"):
                async for answer in client.infer_many([X, [1.0, 2.0], X]):
                    seen.append(answer)
        return seen

    assert len(asyncio.run(run())) == 1


def test_every_public_object_says_what_it_is(server: FakeServer) -> None:
    with LeptonAI(server.url, "m") as ai:
        assert repr(ai) == f'<lepton.LeptonAI at {server.url}, model "m", open>'
        assert ai.ready()
        assert repr(ai.infer(X)).startswith("<lepton.Answer of m")
        assert "float32 [1, 2]" in repr(ai.infer(X))
        assert repr(ai.model()).startswith("Model(m: ")
        assert repr(ai.model().inputs[0]).startswith("TensorSpec(x FP32")
    assert repr(ai).endswith("closed>")
    assert repr(AsyncClient(server.url)) == f"<lepton.AsyncClient at {server.url}, open>"
    assert "max_attempts=2" in repr(RetryOptions(max_attempts=2))
    for name in lepton.__all__:
        shown = repr(getattr(lepton, name))
        assert "0x" not in shown or name in ("serving", "create_service"), shown


def test_names_are_found_by_completion_and_help() -> None:
    assert set(lepton.__all__) <= set(dir(lepton))
    assert "TYPE_CHECKING" not in dir(lepton)
    for name in lepton.__all__:
        found = getattr(lepton, name)
        if name != "__version__":
            assert found.__doc__, name
        for method in vars(found).values() if isinstance(found, type) else ():
            if callable(method) and not getattr(method, "__name__", "_").startswith("_"):
                assert method.__doc__, (name, method)


def test_asyncio_call_that_begins_while_the_client_closes_is_refused(server: FakeServer) -> None:
    async def run() -> list[object]:
        client = AsyncClient(server.url, "m")
        before = [asyncio.create_task(client.infer(X)) for _ in range(8)]
        await asyncio.gather(*before)
        closing = asyncio.create_task(client.close())
        after = [asyncio.create_task(client.infer(X)) for _ in range(8)]
        outcomes = await asyncio.gather(*after, return_exceptions=True)
        await closing
        return outcomes

    for outcome in asyncio.run(run()):
        assert isinstance(outcome, Unavailable)
        assert "closed; make another one" in str(outcome)

"""The official asyncio clients, unmodified."""

import asyncio

import numpy as np
import pytest
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http.aio as http_aio
from tritonclient.utils import InferenceServerException

MODULES = pytest.mark.parametrize("module", [http_aio, grpc_aio], ids=["http", "grpc"])


def tensor_of(module, values):
    tensor = module.InferInput("x", list(values.shape), "FP32")
    tensor.set_data_from_numpy(values)
    return tensor


@MODULES
def test_metadata_and_inference(server, module):
    async def talk():
        async with module.InferenceServerClient(server.address) as client:
            assert await client.is_server_ready()
            assert await client.is_model_ready("four")
            values = np.array([[1, 2, 3, 4]], np.float32)
            answer = await client.infer("plus_one", [tensor_of(module, values)], request_id="7")
            return answer.as_numpy("y")

    np.testing.assert_array_equal(asyncio.run(talk()), [[2, 3, 4, 5]])


@MODULES
def test_many_at_once_each_get_their_own_answer(server, module):
    async def talk():
        async with module.InferenceServerClient(server.address) as client:
            requests = [
                client.infer("plus_one", [tensor_of(module, np.full((1, 4), i, np.float32))])
                for i in range(100)
            ]
            return [answer.as_numpy("y") for answer in await asyncio.gather(*requests)]

    for i, got in enumerate(asyncio.run(talk())):
        np.testing.assert_array_equal(got, np.full((1, 4), i + 1, np.float32))


@MODULES
def test_errors_name_the_model(server, module):
    async def talk():
        async with module.InferenceServerClient(server.address) as client:
            await client.infer("nobody", [tensor_of(module, np.zeros((1, 4), np.float32))])

    with pytest.raises(InferenceServerException, match="nobody"):
        asyncio.run(talk())


def test_a_cancelled_grpc_call_is_counted_as_cancelled(server):
    async def talk():
        async with grpc_aio.InferenceServerClient(server.address) as client:
            blocker = asyncio.create_task(
                client.infer("slow", [tensor_of(grpc_aio, np.zeros((100, 4), np.float32))])
            )
            await asyncio.sleep(0.05)
            waiting = asyncio.create_task(
                client.infer("slow", [tensor_of(grpc_aio, np.zeros((100, 4), np.float32))])
            )
            await asyncio.sleep(0.05)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert (await blocker).as_numpy("y") is not None

    before = server.requests_of("slow", "cancelled")
    asyncio.run(talk())
    server.wait_for_outcome("slow", "cancelled", before + 1)

"""What comes back: answers, models, tensors; the binding's classes, as a person reads them."""

from __future__ import annotations

from typing import Any

from lepton._native import Answer, Model, TensorSpec

__all__ = ["Answer", "Model", "TensorSpec"]


def _shown(answer: Any) -> str:  # noqa: ANN401 - what object.__repr__ takes
    outputs = ", ".join(
        f"{name} {array.dtype.name} {list(array.shape)}" for name, array in answer.outputs.items()
    )
    version = f"/{answer.model_version}" if answer.model_version else ""
    return f"<lepton.Answer of {answer.model_name}{version}: {outputs}>"


# The binding leaves these to Python, which knows how to write arrays.
Answer.__repr__ = _shown  # type: ignore[method-assign]
Answer.__doc__ = """The outputs of one inference, and where its time went.

Example:
    >>> answer = client.infer(np.zeros((2, 1, 8, 8), np.float32))
    >>> answer
    <lepton.Answer of digits/1: probabilities float32 [2, 10]>
    >>> answer.outputs["probabilities"].shape
    (2, 10)
    >>> answer.timing_ms  # Of the server; empty if it says nothing of it.
    {'net': 0.09, 'queue': 0.01, 'input': 0.0, 'compute': 0.03, 'output': 0.01}
"""
Model.__doc__ = """What a model takes and gives.

Example:
    >>> client.model("digits")
    Model(digits: image FP32[-1,1,8,8] -> probabilities FP32[-1,10])
    >>> client.model("digits").inputs[0].shape  # -1 is any extent; the first axis is the batch.
    (-1, 1, 8, 8)
"""
TensorSpec.__doc__ = """One input or output of a model: its name, datatype and shape.

Example:
    >>> client.model("digits").outputs[0]
    TensorSpec(probabilities FP32[-1,10])
"""

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


# The binding leaves it to Python, which knows how to write arrays.
Answer.__repr__ = _shown  # type: ignore[method-assign]

"""Other libraries' messages, as one line for a person."""

from __future__ import annotations

import pytest

from lepton.create.conversion import reason_of
from lepton.create.errors import one_line


class Fail(Exception):
    """Named like ONNX Runtime's own."""


RESHAPE = (
    "[ONNXRuntimeError] : 1 : FAIL : Non-zero status code returned while running Reshape node. "
    "Name:'' Status Message: /onnxruntime_src/onnxruntime/core/providers/cpu/tensor/"
    "reshape_helper.h:91 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&,"
    " onnxruntime::TensorShapeVector&, bool) input_shape_size == requested_shape_size was false. "
    "The input tensor cannot be reshaped to the requested shape."
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Fail(RESHAPE), "Reshape node. input_shape_size == requested_shape_size was false. The "
         "input tensor cannot be reshaped to the requested shape."),
        (ValueError("\x1b[1;31mtoo\n  long\x1b[m"), "ValueError: too long"),
        (RuntimeError("Traceback of TorchScript:\n  ...\nRuntimeError: no kernel"), "no kernel"),
        (Exception(""), "Exception"),
    ],
)  # fmt: skip
def test_what_a_framework_says_has_no_places_in_its_sources(error: Exception, said: str) -> None:
    assert one_line(error) == said


POOL = """Exception from src/inference/src/cpp/infer_request.cpp:224:
Exception from src/plugins/intel_cpu/src/node.cpp:794:
[CPU] MaxPool node with name 'pool.0' Check 'cmp::le(kernel, dim.get_length())' failed at src/a.hpp:149:
While validating node 'opset1::MaxPool pool.0 (opset4::HSwish H[0]:f32[?,2]) -> (f32[?,2])' with friendly_name 'pool.0':
Kernel after dilation has size (dim: 2) larger than the data shape after padding (dim: 1) at axis 0.

"""  # noqa: E501
RANK = """Exception from src/inference/src/cpp/core.cpp:84:
Check 'false' failed at src/frontends/common_translators/src/unconverted_ops_report.cpp:151:
FrontEnd API failed with OpConversionFailure:
Model wasn't fully converted. Failed operations detailed log:
-- Conv-16 with a message:
While validating ONNX node '<Node(Conv): /decoder/Conv_output_0>': Check 'data.rank().is_static()' failed at src/conv.cpp:38:
FrontEnd API failed with GeneralFailure:
The input data tensor's rank has to be known (static)

-- ReduceMean-16 with a message:
While validating ONNX node '<Node(ReduceMean): /R>':
Unsupported input type dynamic

Summary:
-- Conversion is failed for: Conv-16, ReduceMean-16
"""  # noqa: E501


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (POOL, "MaxPool pool.0: Kernel after dilation has size (dim: 2) larger than the data shape "
         "after padding (dim: 1) at axis 0"),
        (RANK, "Conv /decoder/Conv_output_0: The input data tensor's rank has to be known (static"
         ")"),
        ("Exception from src/core.cpp:84:\nUnable to read the model: \"a.onnx\" Please check that "
         "model format: \".onnx\" is supported. Available frontends: jax paddle onnx",
         "its content is not what its name says, or it is damaged"),
        ("", "no reason given"),
    ],
)  # fmt: skip
def test_what_openvino_says_names_the_operation_and_the_reason(text: str, said: str) -> None:
    assert reason_of(RuntimeError(text)) == said


def test_long_reason_ends_between_words() -> None:
    said = reason_of(RuntimeError("a reason that goes on " * 50))
    assert len(said) < 320
    assert said.endswith(" ...")

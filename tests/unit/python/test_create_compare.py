from __future__ import annotations

import numpy as np
import pytest

from lepton.create.compare import Difference, describe


def difference(served: object, original: object, datatype: str = "FP32") -> Difference:
    made = Difference("y", datatype)
    kind = np.float32 if datatype.startswith("FP") else None
    made.add(np.asarray(served, kind), np.asarray(original, kind))
    return made


def test_difference_is_absolute_and_relative_to_the_largest_value() -> None:
    result = difference([[1, 100.5]], [[1, 100]]).result(0.004)
    assert result["max_abs"] == pytest.approx(0.5)
    assert result["max_rel"] == pytest.approx(0.005)
    assert not result["passed"]
    assert difference([[1, 100.5]], [[1, 100]]).result(0.006)["passed"]


def test_small_elements_beside_large_ones_do_not_count_by_themselves() -> None:
    assert difference([[1e-7, 1]], [[0, 1]]).result(None)["passed"]


def test_small_outputs_are_compared_by_their_own_size() -> None:
    assert not difference([[2e-5]], [[1e-5]]).result(None)["passed"]


def test_largest_difference_of_all_runs_counts() -> None:
    made = difference([[1, 2]], [[1, 2]])
    made.add(np.array([[1, 2.5]]), np.array([[1, 2]]))
    made.add(np.array([[1, 2]]), np.array([[1, 2]]))
    assert made.result(None)["max_abs"] == pytest.approx(0.5)


def test_top1_is_the_share_of_rows_with_the_same_winner() -> None:
    result = difference([[1, 2], [3, 4], [5, 6], [8, 7]], [[1, 2], [3, 4], [6, 5], [8, 7]])
    assert result.result(None)["top1"] == 0.75


@pytest.mark.parametrize("values", [[1.0, 2.0], [[1.0], [2.0]]])
def test_output_without_classes_has_no_top1(values: list[object]) -> None:
    assert difference(values, values).result(None)["top1"] is None


@pytest.mark.parametrize(
    ("served", "original", "passed"),
    [
        ([np.nan, 1], [np.nan, 1], True),
        ([np.inf, 1], [np.inf, 1], True),
        ([np.inf, 1], [-np.inf, 1], False),
        ([np.nan, 1], [0, 1], False),
        ([0, 1], [np.nan, 1], False),
        ([np.inf, 1], [2, 1], False),
    ],
)
def test_what_is_no_number_must_be_so_in_both(
    served: list[float], original: list[float], passed: bool
) -> None:
    result = difference([served], [original]).result(None)
    assert result["passed"] is passed
    assert (result["max_abs"] is None) is not passed


def test_integers_and_strings_are_equal_or_not() -> None:
    result = difference([1, 2, 3, 5], [1, 2, 3, 4], "INT64").result(0.2)
    assert (result["equal"], result["passed"]) == (0.75, False)
    assert difference([1, 2, 3, 5], [1, 2, 3, 4], "INT64").result(0.25)["passed"]
    text = difference([b"a", b"b"], np.array(["a", "b"], object), "BYTES").result(None)
    assert (text["equal"], text["passed"]) == (1.0, True)


def test_sixteen_bit_outputs_have_a_wider_default() -> None:
    assert difference([[1.01]], [[1]], "FP16").result(None)["passed"]
    assert not difference([[1.01]], [[1]], "FP32").result(None)["passed"]


def test_description_begins_with_the_top_class() -> None:
    outputs = [difference([[1, 3]], [[1, 2]]).result(0.1), difference([[1]], [[1]]).result(0.1)]
    assert describe(outputs, 0.1) == (
        'top-1 agrees in 100%, "y" differs by 0.5 of its largest value (1 absolute), cosine '
        "0.98995; tolerance 0.1"
    )


def test_other_shape_is_said_and_never_passes() -> None:
    result = difference([[1, 2]], [1, 2]).result(None)
    assert (result["passed"], result["shapes"]) == (False, [[1, 2], [2]])
    assert '"y" has shape [1, 2], the original [2]' in describe([result], 0.1)


def test_what_rounding_leaves_of_large_inputs_is_no_difference() -> None:
    for scale, passed in ((1.0, False), (100.0, True)):
        made = Difference("y", "FP32")
        made.add(np.array([[1e-5, 0]]), np.array([[0, 1e-5]]), scale)
        assert made.result(None)["passed"] is passed


def test_difference_within_the_scatter_of_the_original_passes() -> None:
    for scatter, passed in ((0.0, False), (0.003, True)):
        made = difference([[1, 100.5]], [[1, 100]])
        made.add_scatter(np.array([[1, 100 + 100 * scatter]]), np.array([[1, 100]]))
        assert made.result(None)["passed"] is passed
        assert not made.result(0.001)["passed"]  # The user's value counts as it is.


def test_scatter_is_no_excuse_for_another_direction() -> None:
    made = difference([[1, -1]], [[-1, 1]])
    made.add_scatter(np.array([[1, -1]]), np.array([[-1, 1]]))
    assert not made.result(None)["passed"]


def quantized(served: object, original: object, datatype: str = "FP32") -> bool:
    made = Difference("y", datatype, "quantized")
    made.add(np.asarray(served), np.asarray(original))
    return made.result(None)["passed"]


def test_quantized_outputs_are_to_be_alike_and_to_have_the_same_top_class() -> None:
    rows = np.eye(4) * 10
    assert quantized(rows + 0.3, rows)
    assert not difference(rows + 0.3, rows).result(None)["passed"]
    assert not quantized(rows[::-1], rows)
    assert not quantized(-rows, rows)
    assert not quantized(rows * 0.5, rows)
    # A near tie does not count as a lost class.
    assert quantized([[1.0, 1.01, -3]], [[1.01, 1.0, -3]])


def test_integers_of_quantized_models_may_be_a_step_apart() -> None:
    assert quantized([1, 2, 120], [2, 2, 119], "UINT8")
    assert not quantized([1, 2, 120], [9, 2, 119], "UINT8")
    assert not difference([1, 2, 120], [2, 2, 119], "UINT8").result(None)["passed"]


def test_half_precision_has_a_wider_default() -> None:
    made = Difference("y", "FP32", "half")
    made.add(np.array([1.01]), np.array([1.0]))
    assert made.result(None)["passed"]

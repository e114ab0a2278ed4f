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


def test_description_has_the_figures_of_what_did_not_pass() -> None:
    outputs = [difference([[1, 3]], [[1, 2]]).result(0.1), difference([[1]], [[1]]).result(0.1)]
    text = describe(outputs, 0.1)
    assert text == (
        '"y" differs by 0.5 of its largest value (1 absolute), top-1 agrees in 100%; tolerance 0.1'
    )

"""Random graphs, called among different ones, are answered like OpenVINO alone."""

import sys
import time

import numpy as np
import pytest
from graphs import Input, keeps_names, make_graph, make_requests, smaller
from reference import Reference, Reply
from search import BINARY, GRAPHS_PER_SERVER, report, search
from trial import Tally, compare

# Each start is a server's worth of graphs.
STARTS = range(0, 3 * GRAPHS_PER_SERVER, GRAPHS_PER_SERVER)


@pytest.mark.openvino
@pytest.mark.timeout(600)
@pytest.mark.parametrize("start", STARTS)
def test_graphs_among_others_are_answered_as_by_openvino_alone(start: int) -> None:
    assert BINARY.exists(), f"{BINARY} is missing; run: make build"
    tally = Tally()
    seeds = iter(range(start, start + GRAPHS_PER_SERVER))
    findings = search(seeds, time.monotonic() + 300, tally)
    report(findings, most=2)
    assert not findings, "\n".join(str(found)[:300] for found in findings)
    # Graphs that were not called, or never shared a run, prove nothing.
    assert tally.graphs > GRAPHS_PER_SERVER // 2
    assert tally.answers > 20 * tally.graphs
    assert tally.shared > 0
    print(tally, file=sys.stderr)


def test_a_seed_makes_the_same_graph_and_requests_each_time() -> None:
    assert str(make_graph(7)) == str(make_graph(7))
    first, second = (make_requests(make_graph(7), 3) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(value, other[name])


def test_what_a_graph_shrinks_to_has_fewer_nodes_outputs_or_inputs() -> None:
    graph = make_graph(1)

    def size(it: object) -> int:
        return len(it.nodes) + len(it.outputs) + len(it.inputs)

    candidates = smaller(graph)
    assert candidates
    assert all(size(candidate) < size(graph) for candidate in candidates)


class TestCompare:
    """A wrong answer is found, and one that is only rounded differently is not."""

    graph = make_graph(3)
    request = make_requests(graph, 1)[0]
    wanted = np.array([[1.0, -2.0], [3e4, 0.5]], np.float32)

    def kind(self, got: np.ndarray | None, expected: Reply | None = None) -> str | None:
        answered = Reply(refused="no") if got is None else Reply({"y": got})
        reference = Reference()
        try:
            found = compare(
                self.graph, self.request, expected or Reply({"y": self.wanted}), answered, reference
            )
        finally:
            reference.close()
        return found and found.kind

    def test_same_bits_are_right(self) -> None:
        assert self.kind(self.wanted.copy()) is None

    def test_last_bits_may_differ(self) -> None:
        assert self.kind(np.nextafter(self.wanted, np.float32(np.inf))) is None

    @pytest.mark.parametrize(
        "got",
        [
            np.zeros((2, 2), np.float32),
            np.array([[3e4, 0.5], [1.0, -2.0]], np.float32),
            np.array([[1.0, -2.0], [np.nan, 0.5]], np.float32),
            np.array([[1.001, -2.0], [3e4, 0.5]], np.float32) * np.float32(255),
        ],
        ids=["zeros", "rows of another", "not a number", "another scale"],
    )
    def test_other_values_are_found(self, got: np.ndarray) -> None:
        assert self.kind(got) == "y differs"

    def test_another_shape_or_type_is_found(self) -> None:
        assert self.kind(self.wanted[:1]) == "y of another type or shape"
        assert self.kind(self.wanted.astype(np.float64)) == "y of another type or shape"

    def test_an_answer_where_openvino_refuses_is_found(self) -> None:
        assert self.kind(self.wanted, Reply(refused="no")) == "answered what OpenVINO refuses"

    def test_a_refusal_where_openvino_answers_is_found(self) -> None:
        assert keeps_names(self.graph, self.request)
        assert self.kind(None) == "refused what OpenVINO answers"


def test_extents_of_one_name_are_told_from_those_of_others() -> None:
    graph = make_graph(0)
    inputs = (Input("x", "float32", ("b", 2)), Input("y", "float32", ("b",)))
    graph = type(graph)(0, inputs, graph.nodes)
    assert keeps_names(graph, {"x": np.zeros((3, 2)), "y": np.zeros(3)})
    assert not keeps_names(graph, {"x": np.zeros((3, 2)), "y": np.zeros(1)})

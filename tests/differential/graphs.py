"""Random small graphs in ONNX, each from a seed, with random requests for them."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSET = 18
# Values of a graph stay this small, so that neither size nor time matters.
MOST_ELEMENTS = 20_000
# Open extents of the samples on which a graph is built. Rows of another input are `m`: they equal
# `b` in most requests, but need not.
SAMPLES = ({"b": 2, "m": 2, "n": 7}, {"b": 5, "m": 5, "n": 9})

Request = dict[str, np.ndarray]


@dataclass(frozen=True)
class Input:
    """One input; an extent is a number, or `b`, `m` or `n` where it is open."""

    name: str
    dtype: str
    extents: tuple[int | str, ...]
    # Integers are below it: the size of the table that they index, if they do.
    high: int = 1000
    indexes: bool = False

    def array(
        self, extents: dict[str, int], values: Callable[[Input, tuple[int, ...]], np.ndarray]
    ):
        return values(self, tuple(extents.get(e, e) for e in self.extents))


# By name: what fills the floats of a request.
MAGNITUDES: dict[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.normal(0, 1, shape),
    "unit": lambda rng, shape: rng.uniform(0, 1, shape),
    "zero": lambda rng, shape: np.zeros(shape),
    "tiny": lambda rng, shape: rng.normal(0, 1e-20, shape),
    "huge": lambda rng, shape: rng.normal(0, 1e20, shape),
    "negative": lambda rng, shape: -np.abs(rng.normal(0, 100, shape)),
    "outlier": lambda rng, shape: np.where(rng.uniform(0, 1, shape) < 0.1, 3e4, 1e-2),
}


@dataclass(frozen=True)
class Values:
    """Fills the tensors of a request."""

    numbers: np.random.Generator
    magnitude: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    low: int  # Minimum of integers that index nothing.

    def __call__(self, entry: Input, shape: tuple[int, ...]) -> np.ndarray:
        if entry.dtype.startswith("float"):
            limit = 100.0 if entry.dtype == "float16" else np.inf
            drawn = np.clip(self.magnitude(self.numbers, shape), -limit, limit)
        elif entry.dtype == "bool":
            drawn = self.numbers.integers(0, 2, shape)
        else:
            low = 0 if entry.indexes else self.low
            drawn = self.numbers.integers(low, entry.high, shape)
        return drawn.astype(entry.dtype)


@dataclass(frozen=True)
class Graph:
    """Nodes in order, each with its outputs named once; what remains when it shrinks is valid."""

    seed: int
    inputs: tuple[Input, ...]
    nodes: tuple[NodeProto, ...]
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    # Types and ranks of all values, as in the samples.
    types: dict[str, tuple[np.dtype, int]] = field(default_factory=dict)

    def to_onnx(self) -> onnx.ModelProto:
        used = {name for node in self.nodes for name in node.input}
        graph = helper.make_graph(
            self.nodes,
            f"graph_{self.seed}",
            [
                helper.make_tensor_value_info(
                    entry.name,
                    helper.np_dtype_to_tensor_dtype(np.dtype(entry.dtype)),
                    entry.extents,
                )
                for entry in self.inputs
            ],
            [
                helper.make_tensor_value_info(
                    name,
                    helper.np_dtype_to_tensor_dtype(self.types[name][0]),
                    [f"{name}_{axis}" for axis in range(self.types[name][1])],
                )
                for name in self.outputs
            ],
            [
                numpy_helper.from_array(value, name)
                for name, value in self.constants.items()
                if name in used
            ],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = 8
        return model

    def __str__(self) -> str:
        inputs = ", ".join(f"{e.name}:{e.dtype}{list(e.extents)}" for e in self.inputs)
        nodes = "; ".join(
            f"{','.join(node.output)}={node.op_type}({','.join(node.input)}"
            + "".join(f" {a.name}={helper.get_attribute_value(a)}" for a in node.attribute)
            + ")"
            for node in self.nodes
        )
        small = ", ".join(
            f"{name}={value.tolist()}"
            for name, value in self.constants.items()
            if value.size <= 8 and any(name in node.input for node in self.nodes)
        )
        return f"{inputs} -> {nodes} -> {','.join(self.outputs)}" + (
            f" with {small}" if small else ""
        )


def smaller(graph: Graph) -> list[Graph]:
    """Returns the graphs that this one shrinks to in one step; some may not be valid models."""
    found = []
    for name in graph.outputs:
        if len(graph.outputs) > 1:
            found.append(replace(graph, outputs=tuple(o for o in graph.outputs if o != name)))
    for node in graph.nodes:
        source = next((i for i in node.input if i and i not in graph.constants), None)
        if source is None:
            continue
        nodes = []
        for other in graph.nodes:
            if other is node:
                continue
            copy = NodeProto()
            copy.CopyFrom(other)
            copy.input[:] = [source if i in node.output else i for i in other.input]
            nodes.append(copy)
        outputs = tuple(o for o in graph.outputs if o not in node.output)
        # The value before it takes its place among the outputs, unless it is one already, or an
        # input.
        inputs = [entry.name for entry in graph.inputs]
        if len(outputs) < len(graph.outputs) and source not in (*outputs, *inputs):
            outputs += (source,)
        if outputs and nodes:
            found.append(replace(graph, nodes=tuple(nodes), outputs=outputs))
    found = [_without_dead_nodes(candidate) for candidate in found]
    used = {name for node in graph.nodes for name in node.input}
    for entry in graph.inputs:
        if entry.name not in used and len(graph.inputs) > 1:
            rest = tuple(other for other in graph.inputs if other is not entry)
            found.append(replace(graph, inputs=rest))
    return found


def _without_dead_nodes(graph: Graph) -> Graph:
    needed, nodes = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if needed & set(node.output):
            nodes.insert(0, node)
            needed |= set(node.input)
    return replace(graph, nodes=tuple(nodes))


class Builder:
    """Builds one graph: adds nodes for which the reference evaluator can compute the samples."""

    def __init__(self, seed: int):
        self.rng = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.seed = seed
        self.inputs: list[Input] = []
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        # By name: the value in each of the samples.
        self.values: dict[str, list[np.ndarray]] = {}

    def constant(self, value: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def weights(self, *shape: int) -> str:
        return self.constant(self.numbers.normal(0, 0.5, shape).astype(np.float32))

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def pick(self, kinds: str = "f", least_rank: int = 1, most_rank: int = 4) -> str | None:
        """Returns a value of one kind of type (f, i or b), preferring later ones."""
        fitting = [
            name
            for name, (value, _) in self.values.items()
            if value.dtype.kind in kinds and least_rank <= value.ndim <= most_rank
        ]
        if not fitting:
            return None
        return self.rng.choice(fitting[-3:] if self.rng.random() < 0.7 else fitting)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.values[name][0].shape

    def fixed(self, name: str, axis: int) -> int | None:
        """Returns an extent that is the same in all samples."""
        extents = {value.shape[axis] for value in self.values[name]}
        return extents.pop() if len(extents) == 1 else None

    def axis(self, name: str) -> int:
        """Returns any axis, the first more often than the others."""
        return 0 if self.rng.random() < 0.35 else self.rng.randrange(len(self.shape(name)))

    def node(
        self, op: str, inputs: list[str], outputs: int = 1, **attributes: object
    ) -> str | None:
        """Adds a node if it can be computed, and returns its first output."""
        names = [f"v{len(self.nodes)}" + (f"_{i}" if i else "") for i in range(outputs)]
        node = helper.make_node(op, inputs, names, **attributes)
        results = []
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                evaluator = ReferenceEvaluator(node, opsets={"": OPSET})
                for i in range(len(SAMPLES)):
                    feeds = {
                        n: self.constants[n] if n in self.constants else self.values[n][i]
                        for n in inputs
                        if n
                    }
                    results.append(evaluator.run(None, feeds))
        except Exception:  # The evaluator raises whatever numpy raises; such a node is left out.
            return None
        for values in results:
            if any(
                v is None or np.asarray(v).size > MOST_ELEMENTS or not np.asarray(v).size
                for v in values
            ):
                return None
        self.nodes.append(node)
        for name, *values in zip(names, *results, strict=True):
            self.values[name] = [np.asarray(value) for value in values]
        return names[0]


def make_graph(seed: int) -> Graph:
    """Makes the graph of a seed; the same on each machine with the same versions."""
    # Operations are imported late: they need Builder.
    from operations import OPERATIONS

    build = Builder(seed)
    rng = build.rng
    _add_inputs(build)
    wanted = rng.randint(1, 7)
    for _ in range(40):
        if len(build.nodes) >= wanted:
            break
        rng.choice(OPERATIONS)(build)
    if not build.nodes:
        build.node("Identity", [build.inputs[0].name])
    return _finished(build)


def _add_inputs(build: Builder) -> None:
    rng = build.rng
    values = Values(np.random.default_rng(build.seed + 1), MAGNITUDES["normal"], low=1)

    def add(dtype: str, extents: tuple[int | str, ...], high: int = 100, indexes: bool = False):
        entry = Input(f"x{len(build.inputs)}", dtype, extents, high, indexes)
        build.inputs.append(entry)
        build.values[entry.name] = [entry.array(sizes, values) for sizes in SAMPLES]

    first = rng.choice(("b", "b", "b", "b", "n", 3))
    rest = rng.choice(
        ((4,), (4,), (3, 4), ("n",), ("n", 4), (2, "n"), (2, 5, 5), (2, "n", 5), (), (4, "n", "n"))
    )
    add(rng.choice(("float32",) * 7 + ("int32", "int64", "float16")), (first, *rest))
    if rng.random() < 0.35:
        # A second one that fits the first, or only its rows, or is independent.
        rows = "m" if rng.random() < 0.3 else first
        extents = rng.choice(((rows, *rest), (rows,), (rows, 1), (1, *rest), (rows, 4), (4, "n")))
        add(build.inputs[0].dtype, extents)
    if rng.random() < 0.2:
        add(rng.choice(("int64", "int32")), rng.choice(((first,), (first, 3))), 6, indexes=True)
    if rng.random() < 0.15:
        add(rng.choice(("int32", "int64", "uint8", "int8")), (first, 4))
        add(build.inputs[-1].dtype, (first, 4))
    if rng.random() < 0.1:
        add(rng.choice(("float32", "int64", "bool")), (first, 2))


def _finished(build: Builder) -> Graph:
    rng = build.rng
    made = [name for node in build.nodes for name in node.output]
    used = {name for node in build.nodes for name in node.input}
    # Values that nothing takes are outputs, besides the last value and some on the way.
    ends = [name for name in made if name not in used]
    outputs = ends + [n for n in made if n not in ends and rng.random() < 0.15]
    if rng.random() < 0.1:
        outputs.append(build.node("Identity", [rng.choice(build.inputs).name]))
    if rng.random() < 0.07:
        outputs.append(build.node("Identity", [outputs[0]]))
    outputs = [
        name for name in outputs if name is not None and build.values[name][0].dtype != object
    ]
    types = {name: (value.dtype, value.ndim) for name, (value, _) in build.values.items()}
    return Graph(
        build.seed,
        tuple(build.inputs),
        tuple(build.nodes),
        build.constants,
        tuple(dict.fromkeys(outputs)),
        types | {name: (value.dtype, value.ndim) for name, value in build.constants.items()},
    )


def keeps_names(graph: Graph, request: Request) -> bool:
    """Tells whether extents of one name are equal, as the model says that they are."""
    seen: dict[str, int] = {}
    return all(
        not isinstance(name, str) or seen.setdefault(name, extent) == extent
        for entry in graph.inputs
        for name, extent in zip(entry.extents, request[entry.name].shape, strict=True)
    )


def is_defined(graph: Graph, request: Request) -> bool:
    """Tells whether ONNX defines the result; OpenVINO reads out of bounds with a bad index.

    An integer division by zero may give anything but a crash.
    """
    divisors = {
        node.input[1]
        for node in graph.nodes
        if node.op_type in ("Div", "Mod") and graph.types[node.input[1]][0].kind in "iu"
    }
    made = tuple(
        name
        for node in graph.nodes
        for name in node.output
        if name in divisors or name in graph.outputs
    )
    model = replace(graph, outputs=made).to_onnx()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            answers = ReferenceEvaluator(model).run(None, request)
    except Exception:  # The evaluator raises whatever numpy raises.
        return False
    values = {**graph.constants, **request, **dict(zip(made, answers, strict=True))}
    return all(np.all(values[name] != 0) for name in divisors)


def make_requests(graph: Graph, count: int, seed: int = 0) -> list[Request]:
    """Makes requests of various sizes and magnitudes; some have shapes that the model refuses."""
    rng = random.Random(graph.seed * 1000 + seed)
    numbers = np.random.default_rng(graph.seed * 1000 + seed)
    requests = []
    for _ in range(count):
        rows = rng.choice((1, 1, 2, 3, 4, 7, 13))
        sizes = {
            "b": rows,
            "m": rows if rng.random() < 0.7 else rng.choice((1, 2, 5)),
            "n": rng.choice((1, 2, 4, 5, 7, 8, 9, 16)),
        }
        magnitude = MAGNITUDES[rng.choice(tuple(MAGNITUDES))]
        # Integers may be zero, as an unchecked divisor may be.
        values = Values(numbers, magnitude, low=rng.choice((0, 1, 1, 1)))
        request = {}
        for entry in graph.inputs:
            # Now and then extents of one name differ.
            own = {"b": rng.choice((1, 2, 3)), "n": rng.choice((1, 3, 6))}
            odd = rng.random() < 0.04
            request[entry.name] = entry.array(sizes | own if odd else sizes, values)
        requests.append(request)
    return requests

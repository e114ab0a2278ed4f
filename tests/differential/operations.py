"""The operations that random graphs are made of: each adds what fits a graph, or nothing."""

from __future__ import annotations

import numpy as np
from graphs import Builder


def unary(build: Builder) -> None:
    if (x := build.pick("f")) is not None:
        names = "Relu Neg Abs Tanh Sigmoid Floor Erf Identity Softplus Sign Sqrt"
        build.node(build.rng.choice(names.split()), [x])


def binary(build: Builder) -> None:
    x = build.pick("fi")
    if x is None:
        return
    op = build.rng.choice(("Add", "Sub", "Mul", "Div", "Max", "Min"))
    dtype = build.values[x][0].dtype
    others = [n for n, (v, _) in build.values.items() if v.dtype == dtype]
    if build.rng.random() < 0.5:
        build.node(op, [x, build.rng.choice(others)])
        return
    extents = [
        build.fixed(x, a) if build.rng.random() < 0.6 else 1 for a in range(len(build.shape(x)))
    ]
    shape = [extent or 1 for extent in extents]
    drawn = (
        build.numbers.uniform(0.5, 2, shape)
        if dtype.kind == "f"
        else build.numbers.integers(1, 9, shape)
    )
    build.node(op, [x, build.constant(drawn.astype(dtype))])


def integer_division(build: Builder) -> None:
    x = build.pick("iu")
    if x is not None:
        dtype = build.values[x][0].dtype
        others = [n for n, (v, _) in build.values.items() if v.dtype == dtype]
        build.node(build.rng.choice(("Div", "Mod")), [x, build.rng.choice(others)])


def one_input(build: Builder) -> None:
    if (x := build.pick("f")) is not None:
        build.node(build.rng.choice(("Max", "Min", "Sum", "Mean")), [x])


def compare(build: Builder) -> None:
    if (x := build.pick("f")) is not None:
        limit = build.constant(np.float32(0.5).astype(build.values[x][0].dtype))
        chosen = build.node(build.rng.choice(("Greater", "Less")), [x, limit])
        if chosen is not None:
            build.node("Where", [chosen, x, limit])


def scale_if_any(build: Builder) -> None:
    """Divides by 255 if any value is over 1, which is how images in bytes are recognized."""
    if (x := build.pick("f")) is not None:
        most = build.node("ReduceMax", [x], keepdims=0)
        one = build.constant(np.array(1, build.values[x][0].dtype))
        over = build.node("Greater", [most, one]) if most is not None else None
        if over is not None:
            scale = build.node(
                "Where", [over, build.constant(np.array(1 / 255, one_dtype(build, x))), one]
            )
            if scale is not None:
                build.node("Mul", [x, scale])


def one_dtype(build: Builder, name: str) -> np.dtype:
    return build.values[name][0].dtype


def matmul(build: Builder) -> None:
    x = build.pick("f", 2)
    if x is None or one_dtype(build, x) != np.float32:
        return
    choice = build.rng.random()
    inner = build.fixed(x, -1)
    if choice < 0.5 and inner is not None:
        build.node("MatMul", [x, build.weights(inner, build.rng.choice((1, 3, 6)))])
    elif choice < 0.65 and inner is not None and len(build.shape(x)) == 2:
        build.node("Gemm", [x, build.weights(3, inner), build.weights(3)], transB=1)
    elif choice < 0.85:
        # Products of rows with rows, as in attention over the batch.
        rank = len(build.shape(x))
        turned = build.node("Transpose", [x], perm=[*range(rank - 2), rank - 1, rank - 2])
        if turned is not None:
            build.node("MatMul", build.rng.choice(([x, turned], [turned, x])))
    else:
        build.node("MatMul", [x, build.pick("f", 2) or x])


def convolution(build: Builder) -> None:
    x = build.pick("f", 3)
    if x is None or one_dtype(build, x) != np.float32 or build.fixed(x, 1) is None:
        return
    channels, spatial = build.fixed(x, 1), len(build.shape(x)) - 2
    kernel = [build.rng.choice((1, 2, 3, 5)) for _ in range(spatial)]
    attributes = {"kernel_shape": kernel}
    if build.rng.random() < 0.5:
        attributes["pads"] = [k // 2 for k in kernel] * 2
    if build.rng.random() < 0.3:
        attributes["strides"] = [2] * spatial
    build.node("Conv", [x, build.weights(3, channels, *kernel)], **attributes)


def pooling(build: Builder) -> None:
    x = build.pick("f", 3)
    if x is None or one_dtype(build, x) != np.float32:
        return
    op = build.rng.choice(("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"))
    if op.startswith("Global"):
        build.node(op, [x])
    else:
        spatial = len(build.shape(x)) - 2
        build.node(op, [x], kernel_shape=[build.rng.choice((1, 2, 3))] * spatial)


def softmax(build: Builder) -> None:
    if (x := build.pick("f")) is not None:
        op = build.rng.choice(("Softmax", "Softmax", "LogSoftmax", "Hardmax"))
        build.node(op, [x], axis=build.axis(x))


def normalization(build: Builder) -> None:
    x = build.pick("f", 2)
    if x is None or one_dtype(build, x) != np.float32:
        return
    op = build.rng.choice(
        (
            "LayerNormalization",
            "InstanceNormalization",
            "LpNormalization",
            "MeanVarianceNormalization",
            "BatchNormalization",
        )
    )
    rank = len(build.shape(x))
    if op == "LayerNormalization":
        axis = build.axis(x)
        extents = [build.fixed(x, a) for a in range(axis, rank)]
        scale = [extent or 1 for extent in extents]
        build.node(op, [x, build.weights(*scale)], axis=axis)
    elif op == "LpNormalization":
        build.node(op, [x], axis=build.axis(x), p=2)
    elif op == "MeanVarianceNormalization":
        axes = sorted(build.rng.sample(range(rank), build.rng.randint(1, rank)))
        build.node(op, [x], axes=axes)
    elif (channels := build.fixed(x, 1)) is not None and rank >= 3:
        scales = [build.weights(channels), build.weights(channels)]
        if op == "BatchNormalization":
            variances = build.constant(
                np.abs(build.numbers.normal(1, 0.1, channels)).astype(np.float32)
            )
            scales += [build.weights(channels), variances]
        build.node(op, [x, *scales])


def reduction(build: Builder) -> None:
    if (x := build.pick("f")) is None:
        return
    rank = len(build.shape(x))
    op = build.rng.choice(
        ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceProd")
    )
    axes = sorted(build.rng.sample(range(rank), build.rng.randint(1, rank)))
    keep = build.rng.randint(0, 1)
    reduced = build.node(op, [x, build.integers(*axes)], keepdims=keep)
    if reduced is not None and keep and build.rng.random() < 0.6:
        build.node(build.rng.choice(("Sub", "Mul")), [x, reduced])


def reshape(build: Builder) -> None:
    x = build.pick("fi")
    if x is None:
        return
    rank = len(build.shape(x))
    shape = build.rng.choice(
        ([-1], [0, -1], [-1, 2], [-1, 4], [4, -1], [1, -1], [0, 2, -1], [2, -1, 1])
    )
    if rank == 1 and shape[0] == 0:
        shape = [-1, 1]
    build.node("Reshape", [x, build.integers(*shape)])


def computed_reshape(build: Builder) -> None:
    """Shape, Gather and Concat, as exported models compute the shape to reshape to."""
    x = build.pick("f", 2)
    if x is None:
        return
    shape = build.node("Shape", [x])
    if shape is None:
        return
    axis = 0 if build.rng.random() < 0.7 else build.rng.randrange(len(build.shape(x)))
    kept = build.node("Gather", [shape, build.integers(axis)], axis=0)
    if kept is None:
        return
    rest = build.integers(*build.rng.choice(((-1,), (2, -1), (-1, 2), (1, -1))))
    order = [kept, rest] if build.rng.random() < 0.8 else [rest, kept]
    target = build.node("Concat", order, axis=0)
    if target is not None:
        build.node("Reshape", [x, target])


def flatten(build: Builder) -> None:
    if (x := build.pick("f", 2)) is not None:
        build.node("Flatten", [x], axis=build.rng.choice((0, 1, 1, 2)))


def transpose(build: Builder) -> None:
    if (x := build.pick("fi", 2)) is not None:
        order = list(range(len(build.shape(x))))
        build.rng.shuffle(order)
        build.node("Transpose", [x], perm=order)


def squeeze(build: Builder) -> None:
    if (x := build.pick("fi")) is not None:
        op = build.rng.choice(("Unsqueeze", "Squeeze"))
        rank = len(build.shape(x)) + (op == "Unsqueeze")
        build.node(op, [x, build.integers(build.rng.randrange(rank))])


def gather(build: Builder) -> None:
    if (x := build.pick("fi")) is None:
        return
    axis = build.axis(x)
    extent = min(value.shape[axis] for value in build.values[x])
    drawn = build.numbers.integers(0, extent, build.rng.choice((1, 2, 3)))
    if build.rng.random() < 0.3:
        build.node("Gather", [x, build.constant(np.int64(drawn[0]))], axis=axis)
    else:
        build.node("Gather", [x, build.constant(drawn.astype(np.int64))], axis=axis)


def embedding(build: Builder) -> None:
    indices = [entry.name for entry in build.inputs if entry.indexes]
    if indices:
        build.node("Gather", [build.weights(6, 3), build.rng.choice(indices)], axis=0)


def concat(build: Builder) -> None:
    if (x := build.pick("f")) is None:
        return
    dtype = one_dtype(build, x)
    others = [
        n
        for n, (v, _) in build.values.items()
        if v.dtype == dtype and v.ndim == len(build.shape(x))
    ]
    build.node("Concat", [x, build.rng.choice(others)], axis=build.axis(x))


def cut(build: Builder) -> None:
    if (x := build.pick("fi")) is None:
        return
    axis = build.axis(x)
    start, end, step = build.rng.choice(
        (
            (0, 1, 1),
            (1, 10**9, 1),
            (0, -1, 1),
            (-1, -(10**9), -1),
            (0, 10**9, 2),
            (-2, 10**9, 1),
            (0, 3, 1),
        )
    )
    build.node("Slice", [x, *(build.integers(v) for v in (start, end, axis, step))])


def split(build: Builder) -> None:
    x = build.pick("f")
    if x is None:
        return
    axis = build.axis(x)
    extent = build.fixed(x, axis)
    if extent is not None and extent > 1:
        build.node("Split", [x, build.integers(1, extent - 1)], outputs=2, axis=axis)


def cumulative(build: Builder) -> None:
    if (x := build.pick("f")) is not None and one_dtype(build, x) == np.float32:
        build.node(
            "CumSum", [x, build.constant(np.int64(build.axis(x)))], reverse=build.rng.randint(0, 1)
        )


def order(build: Builder) -> None:
    x = build.pick("f")
    if x is None or one_dtype(build, x) != np.float32:
        return
    axis = build.axis(x)
    if build.rng.random() < 0.5:
        build.node("TopK", [x, build.integers(build.rng.choice((1, 2)))], outputs=2, axis=axis)
    else:
        build.node("ArgMax", [x], axis=axis, keepdims=build.rng.randint(0, 1))


def quantize(build: Builder) -> None:
    """One scale for everything, as in dynamically quantized models."""
    x = build.pick("f")
    if x is None or one_dtype(build, x) != np.float32:
        return
    size = build.node("Abs", [x])
    most = build.node("ReduceMax", [size], keepdims=0) if size is not None else None
    if most is not None:
        safe = build.node("Max", [most, build.constant(np.float32(1e-30))])
        if safe is not None:
            build.node("Div", [x, safe])


def expand(build: Builder) -> None:
    x = build.pick("f")
    if x is None:
        return
    rank = len(build.shape(x))
    if build.rng.random() < 0.5:
        build.node("Tile", [x, build.integers(*(build.rng.choice((1, 1, 2)) for _ in range(rank)))])
    else:
        pads = [build.rng.choice((0, 0, 1)) for _ in range(2 * rank)]
        mode = build.rng.choice(("constant", "constant", "edge"))
        build.node("Pad", [x, build.integers(*pads)], mode=mode)


def cast(build: Builder) -> None:
    if (x := build.pick("fib")) is not None:
        to = build.rng.choice((1, 1, 6, 7, 9, 10))
        if one_dtype(build, x).kind != "f" or to in (1, 9, 10):
            build.node("Cast", [x], to=to)


def nonzero(build: Builder) -> None:
    """The values decide the number of rows of the answer."""
    if (x := build.pick("f", 2, 2)) is not None:
        relu = build.node("Relu", [x])
        if relu is not None:
            build.node("NonZero", [relu])


def positions(build: Builder) -> None:
    """Adds a value computed from the extents alone, as embeddings of positions are."""
    x = build.pick("f", 2)
    if x is None or one_dtype(build, x) != np.float32:
        return
    shape = build.node("Shape", [x])
    axis = build.rng.randrange(len(build.shape(x)))
    extent = shape and build.node("Gather", [shape, build.constant(np.int64(axis))], axis=0)
    steps = extent and build.node(
        "Range", [build.constant(np.int64(0)), extent, build.constant(np.int64(1))]
    )
    added = steps and build.node("Cast", [steps], to=1)
    if added and (behind := len(build.shape(x)) - 1 - axis):
        added = build.node("Unsqueeze", [added, build.integers(*range(1, behind + 1))])
    if added:
        build.node("Add", [x, added])


def attention(build: Builder) -> None:
    """Attention within each row; or, with two axes, among the rows."""
    x = build.pick("f", 2, 3)
    if x is None or one_dtype(build, x) != np.float32 or (width := build.fixed(x, -1)) is None:
        return
    rank = len(build.shape(x))
    query = build.node("MatMul", [x, build.weights(width, 4)])
    key = query and build.node("MatMul", [x, build.weights(width, 4)])
    turned = key and build.node("Transpose", [key], perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = turned and build.node("MatMul", [query, turned])
    weights = scores and build.node("Softmax", [scores], axis=-1)
    if weights:
        build.node("MatMul", [weights, x])


def recurrent(build: Builder) -> None:
    """The first axis counts steps and the second rows; transposed first, if rows come first."""
    x = build.pick("f", 3, 3)
    if x is None or one_dtype(build, x) != np.float32 or (width := build.fixed(x, -1)) is None:
        return
    op, gates = build.rng.choice((("LSTM", 4), ("GRU", 3)))
    if build.rng.random() < 0.6:
        x = build.node("Transpose", [x], perm=[1, 0, 2])
    if x is not None:
        weights = [build.weights(1, gates * 3, width), build.weights(1, gates * 3, 3)]
        build.node(op, [x, *weights], hidden_size=3)


def quantized_matmul(build: Builder) -> None:
    """The export of dynamic quantization: one scale for all rows."""
    x = build.pick("f", 2, 3)
    if x is None or one_dtype(build, x) != np.float32 or (width := build.fixed(x, -1)) is None:
        return
    rounded = build.node("DynamicQuantizeLinear", [x], outputs=3)
    if rounded is None:
        return
    scale, zero = f"{rounded}_1", f"{rounded}_2"
    weights = build.numbers.integers(-20, 20, (width, 3)).astype(np.int8)
    product = build.node("MatMulInteger", [rounded, build.constant(weights), zero])
    product = product and build.node("Cast", [product], to=1)
    if product:
        build.node("Mul", [product, scale])


def einsum(build: Builder) -> None:
    if (x := build.pick("f", 2, 3)) is not None and one_dtype(build, x) == np.float32:
        terms = ("ij,ij->i", "ij,ij->j", "ij,kj->ik", "ij->ji", "ij->")
        if len(build.shape(x)) == 3:
            terms = ("ijk,ijk->ij", "ijk->jik", "ijk,ilk->ijl", "ijk,ljk->il")
        term = build.rng.choice(terms)
        build.node("Einsum", [x] * (term.count(",") + 1), equation=term)


def rearranged(build: Builder) -> None:
    x = build.pick("f", 4)
    if x is None or one_dtype(build, x) != np.float32 or (channels := build.fixed(x, 1)) is None:
        return
    op = build.rng.choice(("DepthToSpace", "ConvTranspose", "Resize"))
    if op == "DepthToSpace":
        build.node(op, [x], blocksize=2)
    elif op == "ConvTranspose":
        build.node(op, [x, build.weights(channels, 2, 2, 2)], strides=[2, 2])
    else:
        scales = build.constant(np.array([1, 1, 2, 2], np.float32))
        build.node(op, [x, "", scales], mode="nearest", nearest_mode="floor",
                   coordinate_transformation_mode="asymmetric")  # fmt: skip


def scatter(build: Builder) -> None:
    """Writes to the first places of an axis."""
    x = build.pick("f", 1, 2)
    if x is None or one_dtype(build, x) != np.float32:
        return
    indices = build.constant(np.zeros([1] * len(build.shape(x)), np.int64))
    updates = build.weights(*([1] * len(build.shape(x))))
    build.node("ScatterElements", [x, indices, updates], axis=build.axis(x))


def expand_to_shape(build: Builder) -> None:
    x = build.pick("f")
    other = build.pick("f")
    if x is not None and other is not None:
        shape = build.node("Shape", [other])
        if shape is not None:
            build.node("Expand", [x, shape])


OPERATIONS = (
    unary, unary, binary, binary, binary, integer_division, one_input, compare, scale_if_any,
    matmul, matmul, convolution, convolution, pooling, softmax, softmax, normalization,
    normalization, reduction, reduction, reshape, reshape, computed_reshape, computed_reshape,
    flatten, transpose, transpose, squeeze, gather, embedding, embedding, concat, concat, cut, cut,
    split, cumulative, order, quantize, expand, cast, nonzero, positions, positions, attention,
    attention, recurrent, quantized_matmul, einsum, rearranged, scatter, expand_to_shape,
)  # fmt: skip

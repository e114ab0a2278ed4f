"""Finds operations in TensorFlow files that reach beyond computing, without TensorFlow.

A graph may write files and run Python as well as multiply matrices, when it is run and, in a
SavedModel, already when it is loaded. Operations that are known to compute pass, all others are
reported. Field numbers are those of saved_model.proto, meta_graph.proto, graph.proto,
function.proto.
"""

from __future__ import annotations

import mmap
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from lepton.create.protobuf import Cut, DamagedError

# The operations that compute, grouped by purpose, each in all of its forms.
_COMPUTES = re.compile(
    # Values, shapes, control flow, calls, state.
    r"Const|Placeholder(WithDefault|V2)?|_?Arg|_?Retval|NoOp|Identity(N)?"
    r"|Snapshot|StopGradient|PreventGradient|CheckNumerics(V2)?|Assert|EnsureShape|GuaranteeConst"
    r"|(Ref)?(Switch|Merge|Enter|Exit|NextIteration|Select|Identity)|_Switch\w*|LoopCond"
    r"|ControlTrigger|(Stateless)?(If|While|Case)|For|(Stateful)?PartitionedCall|SymbolicGradient"
    r"|Variable(V2)?|VarHandleOp|VarIsInitializedOp|VariableShape|_?ReadVariables?Op"
    r"|DestroyResourceOp|DisableCopyOnRead|IsVariableInitialized|Assign\w*|CountUpTo"
    r"|Resource(Sparse)?(Apply|Gather|Scatter|StridedSlice|Accumulator|CountUpTo)\w*"
    r"|(Sparse)?Apply\w+|Tensor(List|Array|Scatter|Map|Strided)\w*|EmptyTensor(List|Map)|Empty"
    r"|Stack(V2|Push|PushV2|Pop|PopV2|Close|CloseV2)?|TemporaryVariable|DestroyTemporaryVariable"
    r"|(Immutable)?(Mutable)?(Dense)?HashTable\w*|AnonymousHashTable|AnonymousMutable\w*"
    r"|MutableHashTable\w*|LookupTable\w+|InitializeTable(V2|FromTextFile(V2)?)?"
    # Shapes and places of elements.
    r"|Shape(N)?|Size|Rank|Reshape|Squeeze|ExpandDims|Fill|(Zeros|Ones)Like|Range|LinSpace|Tile"
    r"|Pack|Unpack|ParallelConcat|Concat(V2|Offset)?|Split(V)?|Slice|StridedSlice\w*|Gather(V2|Nd)?"
    r"|Scatter(Nd|Add|Sub|Mul|Div|Min|Max|Update)\w*|Transpose|ConjugateTranspose|Where|Reverse(V2)?"
    r"|ReverseSequence|Roll|Pad(V2)?|MirrorPad\w*|Broadcast(To|Args|GradientArgs)|OneHot|Unique\w*"
    r"|(Batch)?(SpaceTo|ToSpace)\w*|SpaceTo\w+|BatchToSpace\w*|DepthTo\w+|Dynamic(Partition|Stitch)"
    r"|ParallelDynamicStitch|InvertPermutation|ListDiff|Bitcast|Cast|TopK(V2)?|InTopK\w*|NthElement"
    r"|UnravelIndex|SearchSorted|(Upper|Lower)Bound|Bucketize|Diag(Part)?|Matrix\w+|BatchMatrix\w+"
    r"|DeepCopy|InplaceUpdate|InplaceAdd|InplaceSub|Copy|CopyHost|OptionalFromValue"
    # Arithmetic.
    r"|Add(V2|N)?|AccumulateNV2|Sub|Mul(NoNan)?|Div(NoNan)?|RealDiv|TruncateDiv|FloorDiv|FloorMod"
    r"|Mod|TruncateMod|Neg|Abs|ComplexAbs|Sign|Square(dDifference)?|R?sqrt|Sqrt|Rsqrt|Exp|Expm1|Log"
    r"|Log1p|Pow|Xdivy|Xlogy|Xlog1py|Maximum|Minimum|Round|Rint|Ceil|Floor|Inv|Reciprocal|Erfc?"
    r"|Erfinv|Ndtri|Lgamma|Digamma|(Ig|Poly)amma\w*|Igammac?|Zeta|Betainc|(A(sin|cos|tan)|Sin|Cos|Tan)h?|Atan2"
    r"|Bessel\w+|Dawsn|Expint|Fresnel\w+|Spence|NextAfter|Less(Equal)?|Greater(Equal)?|Equal"
    r"|NotEqual|ApproximateEqual|Logical(And|Or|Not)|Bitwise\w+|Invert|LeftShift|RightShift"
    r"|PopulationCount|Is(Nan|Inf|Finite)|ClipByValue|Cum(sum|prod)|CumulativeLogsumexp|Select(V2)?"
    r"|Real|Imag|Complex|Conj|Angle|Cross|Sum|Mean|Prod|Max|Min|All|Any|EuclideanNorm|Arg(Max|Min)"
    r"|(Unsorted)?Segment\w+|SparseSegment\w+|(Dense|Ragged)?Bincount|Histogram\w*|L2Loss|Einsum"
    r"|(Batch)?MatMul(V[23])?|_FusedMatMul|_Fused\w+|Cholesky\w*|Lu|Qr|Svd|Eig|SelfAdjointEig\w*"
    r"|LogMatrixDeterminant|TridiagonalSolve|TridiagonalMatMul|BandedTriangularSolve"
    r"|(Batch)?I?R?FFT([23ND]+)?|Uniform(Quantize|Dequantize|Requantize)\w*|Xla(Dot|Conv)(V2)?|XlaPad"
    # Layers.
    r"|\w*Conv(1D|2D|3D)?\w*Backprop\w+|(Depthwise)?Conv(2D|3D)?(Native)?|Conv|FusedPadConv2D"
    r"|FusedResizeAndPadConv2D|DepthwiseConv2dNative\w*|Dilation2D\w*|(Avg|Max)Pool\w*"
    r"|Fractional(Avg|Max)Pool\w*|Bias(Add(V1|Grad)?)|FusedBatchNorm\w*"
    r"|BatchNormWithGlobalNormalization\w*|LRN(Grad)?|(Log)?Softmax|SoftmaxCrossEntropyWithLogits"
    r"|SparseSoftmaxCrossEntropyWithLogits|Relu6?|LeakyRelu|Elu|Selu|Softplus|Softsign|Sigmoid|Gelu"
    r"|(\w+)Grad(V2|V3|Grad)?|(CudnnRNN|BlockLSTM|LSTMBlock|GRUBlock)\w*|CTC\w+|EditDistance"
    r"|ResizeArea|ResizeBi(linear|cubic)|ResizeNearestNeighbor|QuantizedResizeBilinear"
    r"|CropAndResize|ExtractImagePatches|ExtractVolumePatches|ExtractGlimpse\w*|NonMaxSuppression\w*"
    r"|CombinedNonMaxSuppression|GenerateBoundingBoxProposals|DrawBoundingBoxes\w*|ImageProjective\w+"
    r"|SampleDistortedBoundingBox\w*|Adjust(Contrast|Hue|Saturation)\w*|RGBToHSV|HSVToRGB"
    r"|ScaleAndTranslate|Mfcc|AudioSpectrogram|FakeQuant\w+|Quantize\w*|Quantized\w+|Dequantize"
    r"|Requantize\w*|RequantizationRange\w*"
    # Chance, text, sparse and ragged tensors, pictures as bytes, examples of one message.
    r"|Random(Normal|Uniform|UniformInt|StandardNormal|Gamma|Poisson|PoissonV2|Shuffle|Crop)\w*"
    r"|Stateless(Random|Truncated|Multinomial|Parameterized|Sample|Shuffle)\w*|Multinomial"
    r"|(Parameterized)?TruncatedNormal|StatefulStandardNormal(V2)?|StatefulUniform\w*"
    r"|StatefulTruncatedNormal|StatefulRandomBinomial|RngSkip|RngReadAndSkip|\w*CandidateSampler"
    r"|String(Join|Split|SplitV2|Length|Lower|Upper|Strip|NGrams|ToNumber|ToHashBucket\w*|Format)"
    r"|Substr|AsString|ReduceJoin|UnsortedSegmentJoin|RegexReplace|RegexFullMatch|StaticRegex\w+"
    r"|Unicode\w+|(De|En)codeBase64|DecodeRaw|DecodePaddedRaw|DecodeCSV|ParseTensor|SerializeTensor"
    r"|Parse(Single)?(Sequence)?Example\w*|DecodeJSONExample"
    r"|Sparse(Tensor)?(Add|Concat|Cross|Dense|Fill|MatMul|Mat|Reduce|Reorder|Reshape|Slice|Softmax"
    r"|Sparse|Split|To|Bincount|Count)\w*|DenseTo(Sparse|Dense)\w*|(De)?SerializeSparse"
    r"|DeserializeManySparse|SerializeManySparse|Ragged(Range|Gather|Cross|Count|Tensor|Fill)\w*"
    r"|(De|En)code(Jpeg|Png|Gif|Bmp|Image|Wav|AndCropJpeg|JpegVariableQuality|WebP)"
    r"|ExtractJpegShape|Farmhash\w*|Fingerprint"
)
# These write and read the file of variables: harmless if only saving and restoring runs them.
_WRITES_VARIABLES = {"SaveV2", "MergeV2Checkpoints"}
_OF_VARIABLES = _WRITES_VARIABLES | {"RestoreV2", "ShardedFilename"}
_SAVER = re.compile(r"__inference__traced_(save|restore)_\d+")
# Collections of a TensorFlow 1 graph whose content runs when it is loaded.
_RUN_AT_LOAD = {"saved_model_main_op", "legacy_init_op", "saved_model_initializers", "init_op"}

UNREADABLE = "what cannot be read"


def operations_beyond(path: Path) -> list[str]:
    """Returns the operations of a file or folder that are not known to compute only."""
    if path.is_dir():
        others = [
            name for name in ("saved_model.cpb", "saved_model.pbtxt") if (path / name).exists()
        ]
        if others:
            return others  # Which of them TensorFlow takes depends on its version.
        path = path / "saved_model.pb"
        read: Callable[[Cut], set[str]] = _of_saved_model
    elif path.suffix.lower() == ".tflite":
        # TensorFlow's own operations in a TensorFlow Lite file; it knows no others.
        found = re.findall(rb"Flex[A-Z]\w*", path.read_bytes())
        return sorted({name.decode() for name in found})
    else:
        read = _of_graph
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return sorted(read(Cut(data, 0, len(data))))
        except DamagedError:
            return [UNREADABLE]


def _of_saved_model(model: Cut) -> set[str]:
    graphs = list(model.all(2))
    # TensorFlow 2 runs functions that the objects name, TensorFlow 1 runs nodes of the graph.
    by_objects = len(graphs) == 1 and graphs[0].first(7) is not None
    found: set[str] = set()
    for meta in graphs:
        objects = b"".join(part.content() for part in meta.all(7))
        for graph in meta.all(2):
            found |= _of_graph(graph, meta, objects if by_objects else None)
    return found


def _of_graph(graph: Cut, meta: Cut | None = None, objects: bytes | None = None) -> set[str]:
    """Returns the operations that are not known to compute.

    Args:
        graph: The GraphDef.
        meta: The MetaGraphDef that holds it, if any.
        objects: Its objects, if these say which functions run.
    """
    bodies: dict[str, list[Cut]] = defaultdict(list)
    for library in graph.all(2):
        for function in library.all(1):
            name = next((part.text(1) for part in function.all(1)), "")
            bodies[name] += function.all(3)
    called = {
        name: {word for node in body for word in _functions_named(node)}
        for name, body in bodies.items()
    }
    savers = set()
    if objects is not None:
        elsewhere = {word for words in called.values() for word in words}
        savers = {
            name
            for name in bodies
            if _SAVER.fullmatch(name) and name not in elsewhere and name.encode() not in objects
        }
    found: set[str] = set()
    for name, body in bodies.items():
        passed = _OF_VARIABLES if name in savers else set()
        found |= {op for op in _operations(body) if op not in passed and not _computes(op, bodies)}
    nodes = list(graph.all(1))
    others = {op for op in _operations(nodes) if not _computes(op, bodies)}
    if meta is not None and others & _OF_VARIABLES:
        others -= _OF_VARIABLES - (set() if objects is not None else _run(nodes, meta))
    return found | others


def _computes(op: str, functions: Iterable[str]) -> bool:
    # A function's name is an operation too, but one that no operation has.
    return bool(_COMPUTES.fullmatch(op)) or (op.startswith("__") and op in functions)


def _operations(nodes: Iterable[Cut]) -> set[str]:
    return {_last(node, 2) for node in nodes}


def _last(message: Cut, number: int) -> str:
    """Returns a field's text; the last of several counts."""
    texts = [part.content().decode(errors="replace") for part in message.all(number)]
    return texts[-1] if texts else ""


def _functions_named(node: Cut) -> set[str]:
    """Returns the functions that a node's attributes name, and its operation."""
    names = {_last(node, 2)}
    for attribute in node.all(5):
        for value in attribute.all(2):
            names |= {part.text(1) for part in value.all(10)}
            for listed in value.all(1):
                names |= {part.text(1) for part in listed.all(9)}
    return names


def _run(nodes: list[Cut], meta: Cut) -> set[str]:
    """Returns operations on the variables' file that more than saving and restoring runs."""
    consumers: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, set[str]] = defaultdict(set)
    for node in nodes:
        name = _last(node, 1)
        kinds[_last(node, 2)].add(name)
        for source in node.all(3):
            text = source.content().decode(errors="replace")
            consumers[text.lstrip("^").partition(":")[0]].add(name)
    asked = b"".join(part.content() for part in meta.all(5))
    for collection in meta.all(4):
        if collection.text(1) in _RUN_AT_LOAD:
            asked += collection.content()
    restored = {_last(saver, 3) for saver in meta.all(3)}
    run = set()
    for op in _OF_VARIABLES:
        reached, new = set(kinds[op]), set(kinds[op])
        while new:
            new = {one for name in new for one in consumers[name]} - reached
            reached |= new
        by_restoring = op in _WRITES_VARIABLES and reached & restored
        if by_restoring or any(name.encode() in asked for name in reached):
            run.add(op)
    return run

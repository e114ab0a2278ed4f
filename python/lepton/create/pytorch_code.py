"""Finds code in PyTorch files that would run when they are loaded, without PyTorch."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lepton.create import pytorch_file
from lepton.create.archives import opened
from lepton.create.pytorch_pickle import UNREADABLE, classes_of, named_in_archive

# Operators that access files, processes or other machines; all others in these namespaces compute.
_BEYOND = {"save", "from_file", "rpc_async", "rpc_sync", "rpc_remote", "_save", "_load"}
_NAMESPACES = {"aten", "prim", "prims", "quantized", "_quantized", "torchvision", "higher_order"}
_CLASSES = {"quantized", "rnn"}
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', re.DOTALL)

# What a node of an exported program may call.
_TARGET = re.compile(
    r"torch\.ops\.(?P<space>\w+)\.(?P<name>\w+)(\.\w+)?"
    r"|(torch\.)?(_?sym_\w+|_check(_is_size)?)|math\.\w+"
    r"|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|abs|eq|ne|lt|le|gt|ge|and_|or_|not_"
    r"|xor|lshift|rshift|getitem|index|is_|is_not)"
    r"|torch\._C\._(set_grad_enabled|functorch\.\w+)"
)
# The expressions for the sizes of its tensors, which PyTorch passes to eval().
_FUNCTIONS = re.compile(
    r"Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|ModularIndexing|floor|ceiling|FloorToInt"
    r"|CeilToInt|IntTrueDiv|FloatTrueDiv|TruncToInt|TruncToFloat|RoundToInt|RoundDecimal|ToFloat"
    r"|PowByNatural|FloatPow|Pow|Add|Mul|Identity|Eq|Ne|Gt|Ge|Lt|Le|And|Or|Not|Where|Piecewise|Abs"
    r"|sqrt|LShift|RShift|Bitwise\w+|Integer|Float|Rational|Symbol|OpaqueUnaryFn_\w+|Equality"
    r"|Unequality|StrictGreaterThan|GreaterThan|StrictLessThan|LessThan|size|stride|dim|numel|len"
)
_ATTRIBUTES = {"size", "shape", "stride", "ndim", "dim", "numel", "is_integer"}
_ARITHMETIC = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.BinOp, ast.UnaryOp, ast.BoolOp,
    ast.Compare, ast.Tuple, ast.List, ast.Call, ast.keyword, ast.Subscript, ast.Attribute,
    ast.IfExp, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
_LONGEST_EXPRESSION = 10_000


def code_in(path: Path, kind: str) -> list[str]:
    """Returns what a PyTorch file would do besides computing with its tensors.

    Args:
        path: The file.
        kind: The name of its format.

    Raises:
        CreateError: It is damaged.
    """
    if kind == pytorch_file.TORCHSCRIPT.name:
        return [*dict.fromkeys([*named_in_archive(path, scripted=True), *_of_script(path)])]
    if kind == pytorch_file.EXPORTED.name:
        return [*dict.fromkeys([*named_in_archive(path), *_of_program(path)])]
    if kind == pytorch_file.SAFETENSORS.name:
        return []  # It holds numbers, and JSON that describes them.
    return classes_of(path)


def _of_script(path: Path) -> Iterator[str]:
    with opened(path) as archive:
        for name in archive.namelist():
            if name.lower().endswith(".py"):
                yield from _of_source(archive.read(name).decode(errors="replace"))


def _of_source(source: str) -> Iterator[str]:
    source = source.replace("\\\n", "")
    strings = [found[0][1:-1] for found in _STRING.finditer(source)]
    bare = re.sub(r"#[^\n]*", "", _STRING.sub(" ", source))
    # Strings may name attributes as well.
    named = set(re.findall(r"\.\s*(\w+)", bare)) | set(strings)
    yield from (f"aten::{word}" for word in sorted(named & _BEYOND))
    if "getattr" in bare and any("\\" in one for one in strings):
        yield "attributes that cannot be read"
    for space in re.findall(r"(?<![.\w])ops\b(?:\s*\.\s*(\w+))?", bare):
        if space not in _NAMESPACES:
            yield f"operators of {space or 'any kind'}"
    for space in re.findall(r"__torch__\s*\.\s*torch\s*\.\s*classes\s*\.\s*(\w+)", bare):
        if space not in _CLASSES:
            yield f"classes of {space}"


def _of_program(path: Path) -> Iterator[str]:
    with opened(path) as archive:
        for name in archive.namelist():
            if not name.lower().endswith(".json"):
                continue
            try:
                yield from _of_json(json.loads(archive.read(name)))
            except (ValueError, RecursionError):
                yield UNREADABLE


def _of_json(held: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(held, list):
        for one in held:
            yield from _of_json(one)
    elif isinstance(held, dict):
        if "inputs" in held and "target" in held and not _computes(str(held["target"])):
            yield str(held["target"])
        for key, value in held.items():
            if "expr" in key and isinstance(value, str) and not _is_arithmetic(value):
                yield f"the expression {value[:80]}"
            elif "guards" in key and isinstance(value, list):
                for one in value:
                    if isinstance(one, str) and not _is_arithmetic(one):
                        yield f"the guard {one[:80]}"
            yield from _of_json(value)
    elif isinstance(held, str) and "default_factory_module" in held:
        yield "a dict with a default"  # Its factory is imported by name.


def _computes(target: str) -> bool:
    found = _TARGET.fullmatch(target)
    if found is None or "__" in target.removeprefix("torch.ops.aten.__"):
        return False
    return found["space"] is None or (
        found["space"] in _NAMESPACES and found["name"] not in _BEYOND
    )


def _is_arithmetic(text: str) -> bool:
    """Returns whether an expression computes only with numbers and sizes."""
    if len(text) > _LONGEST_EXPRESSION:
        return False
    try:
        nodes = list(ast.walk(ast.parse(text.strip(), mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(isinstance(node, _ARITHMETIC) and _is_plain(node) for node in nodes)


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        called = node.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        return bool(_FUNCTIONS.fullmatch(name))
    if isinstance(node, ast.Attribute):
        return node.attr in _ATTRIBUTES
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, str) or bool(re.fullmatch(r"[\w.\[\]]*", node.value))
    return not (isinstance(node, ast.Name) and "__" in node.id)

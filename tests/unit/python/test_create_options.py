from __future__ import annotations

import json
from pathlib import Path

import pytest

from lepton.create import CreateError, InputSpec, Options, parse_input
from lepton.create.options import parse_module_args, parse_ranges


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        (
            "image:f32[batch,3,224,224]",
            InputSpec("image", "FP32", (-1, 3, 224, 224), ("batch", "", "", "")),
        ),
        ("ids:int64[-1, seq]", InputSpec("ids", "INT64", (-1, -1), ("", "seq"))),
        ("a.b/c:UINT8[2]", InputSpec("a.b/c", "UINT8", (2,), ("",))),
        ("scale:bf16[]", InputSpec("scale", "BF16", (), ())),
    ],
)
def test_input_is_read(text: str, spec: InputSpec) -> None:
    assert parse_input(text) == spec


def test_input_is_written_as_it_is_read() -> None:
    for text in ("image:f32[batch,3,height,-1]", "flag:bool[]", "text:string[batch]"):
        assert str(parse_input(text)) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not of the form"),
        ("x", "not of the form"),
        ("x:f32", "not of the form"),
        ("x:f32[1", "not of the form"),
        (":f32[1]", "not of the form"),
        ("x:f33[1]", 'dtype "f33", which is not one of bool'),
        ("x:f32[0]", 'extent "0"'),
        ("x:f32[-2]", 'extent "-2"'),
        ("x:f32[1,,2]", 'extent ""'),
        ("x:f32[1.5]", r'extent "1\.5"'),
        ("x:f32[3,batch]", 'calls an axis "batch" that is not the first'),
    ],
)
def test_input_of_another_form_is_refused(text: str, reason: str) -> None:
    with pytest.raises(CreateError, match=reason):
        parse_input(text)


def test_range_is_read_from_the_last_equals_sign() -> None:
    assert parse_ranges(["input_ids=0:30521", "a=b:0=-0.5:1e3"]) == {
        "input_ids": (0, 30521),
        "a=b:0": (-0.5, 1000),
    }


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["x"], "not of the form name=low:high"),
        (["x=1"], "not of the form"),
        (["=0:1"], "not of the form"),
        (["x=a:b"], "not of the form"),
        (["x=0:inf"], "not of the form"),
        (["x=2:1"], "ends below its beginning, 2"),
        (["x=0:1", "x=0:2"], 'names input "x" twice'),
    ],
)
def test_range_of_another_form_is_refused(texts: list[str], reason: str) -> None:
    with pytest.raises(CreateError, match=reason):
        parse_ranges(texts)


def test_arguments_of_the_module_are_json_or_words() -> None:
    given = ['{"width": 64, "act": "gelu"}', "depth=3", "name=net-a", "bias=false", "dims=[1,2]"]
    assert parse_module_args(given) == {
        "width": 64,
        "act": "gelu",
        "depth": 3,
        "name": "net-a",
        "bias": False,
        "dims": [1, 2],
    }


@pytest.mark.parametrize("text", ["width", "{", "=3", "a b=3", "[1]"])
def test_arguments_that_are_neither_are_refused(text: str) -> None:
    with pytest.raises(CreateError, match="--module-args"):
        parse_module_args([text])


def test_options_pass_through_json_unchanged() -> None:
    options = Options(
        inputs=(parse_input("x:f32[batch,seq]"),),
        ranges={"x": (0.0, 0.1)},
        example=Path("a.npz"),
        module="a:B",
        module_args={"a": [1]},
        trust_pickle=True,
        tolerance=0.5,
        allow_mismatch=True,
    )
    assert Options.from_json(json.loads(json.dumps(options.as_json()))) == options
    assert Options.from_json(json.loads(json.dumps(Options().as_json()))) == Options()
    assert Options().as_given() == {}

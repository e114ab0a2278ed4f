"""`lepton tune`, up to the request that it sends."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from lepton.tune.command import settings_table
from lepton.tune.configuration import TuneError, fetch, settings_of, to_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("-1", -1),
        ("0.5", 0.5),
        ("2,4,8", [2, 4, 8]),
        ("none", []),
        ("auto", "auto"),
        ("auto:1-4", "auto:1-4"),
        ("fifo", "fifo"),
        ("2,x", "2,x"),
    ],
)
def test_a_flag_becomes_what_the_server_takes(text: str, value: object) -> None:
    assert to_value(text) == value


def test_settings_say_who_chose_them_in_the_order_in_which_they_are_shown() -> None:
    config = {
        "parameters": {
            "weight": {"string_value": "2"},
            "instances": {"string_value": "1"},
            "threads": {"string_value": "4"},
            "engine": {"string_value": "openvino"},
            "settings_configured": {"string_value": "instances"},
            "settings_tuned": {"string_value": "threads"},
            "settings_changed": {"string_value": ""},
        }
    }
    told = [(setting.name, setting.value, setting.origin) for setting in settings_of(config)]
    assert told == [
        ("instances", "1", "configured"),
        ("threads", "4", "tuned"),
        ("weight", "2", "default"),
    ]


def test_settings_fit_a_screen_of_80_columns_and_nothing_is_cut() -> None:
    sizes = ",".join(map(str, range(1, 60)))
    told = {
        "name": "a_model_whose_name_is_far_longer_than_most_others_" * 2,
        "instance_group": [{"count": 2}],
        "parameters": {
            "max_queue_delay_us": {"string_value": "0"},
            "instances": {"string_value": "auto:1-4"},
            "preferred_batch_sizes": {"string_value": sizes},
            "settings_configured": {"string_value": "preferred_batch_sizes"},
        },
    }
    screen = Console(width=80, file=io.StringIO(), soft_wrap=True)
    screen.print(settings_table(told))
    lines = screen.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    shown = "".join("".join(line.split()) for line in lines)
    assert told["name"] in shown.replace("value", "").replace("from", "")
    assert "auto:1-4(2now)default" in shown
    assert shown.count(",") == sizes.count(",")


def test_an_address_that_is_none_of_http_is_named() -> None:
    with pytest.raises(TuneError, match=r"ftp://here.* unknown scheme") as caught:
        fetch("ftp://here", "m", None, None)
    assert caught.value.bad_input


def test_a_server_that_is_not_there_is_no_fault_of_the_input() -> None:
    with pytest.raises(TuneError, match=r"no server at http://127\.0\.0\.1:1") as caught:
        fetch("http://127.0.0.1:1", "m", None, None)
    assert not caught.value.bad_input

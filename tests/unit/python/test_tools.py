from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def problems_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Checks one source text as a file of a module, against tables of two modules."""
    checker = load("check_includes")
    monkeypatch.setattr(checker, "ROOT", tmp_path)
    tables = checker.Tables(
        modules={"net": ["core"], "protocol": ["core", "net/message.h"], "engines/*": ["core"]},
        barred={"net": ["core/infer_call.h"]},
        vendors={"boost/*": ["net"], "*.pb.h": ["protocol"]},
    )

    def check(path: str, text: str) -> list[str]:
        file = tmp_path / path
        file.parent.mkdir(parents=True)
        file.write_text(text)
        return [problem.partition(": ")[2] for problem in checker.check_file(file, tables)]

    return check


@pytest.mark.parametrize(
    "line",
    [
        "#include <vector>",
        "#include <sys/socket.h>",
        "#include <boost/asio/post.hpp>",
        '#include "lepton/core/error.h"',
        '#include "lepton/net/message.h"',
        "co_await read(buffer[0]);",
        "// co_await f([x] {}) is what g++ gets wrong",
    ],
)
def test_what_the_tables_allow_is_no_problem(problems_in, line: str) -> None:
    assert problems_in("src/lepton/net/a.cc", line + "\n") == []


@pytest.mark.parametrize(
    ("path", "line", "problem"),
    [
        ("src/lepton/net/a.h", '#include "lepton/model/x.h"', "net may not include lepton/model"),
        ("src/lepton/net/a.h", '#include "lepton/core/infer_call.h"', "though its module"),
        ("src/lepton/protocol/a.cc", '#include "lepton/net/reactor.h"', "may not include"),
        ("src/lepton/protocol/a.cc", "#include <boost/asio.hpp>", "is for net only"),
        ("src/lepton/net/a.cc", "#include <curl/curl.h>", "no line in the table"),
        ("src/lepton/net/a.cc", '#include "message.h"', "not a path from src"),
        ("engines/torch/a.cc", '#include "lepton/net/message.h"', "may not include"),
        ("src/lepton/net/a.cc", "co_await post(loop, [this] { go(); });", "a lambda in a co_await"),
        ("src/lepton/net/a.cc", "co_await post(loop,\n    [p]() mutable {});", "a lambda"),
    ],
)
def test_what_they_do_not_is_named(problems_in, path: str, line: str, problem: str) -> None:
    (found,) = problems_in(path, line + "\n")
    assert problem in found


def test_single_header_of_a_module_may_be_allowed_alone(problems_in) -> None:
    assert problems_in("src/lepton/protocol/a.cc", '#include "lepton/net/message.h"\n') == []


def test_totals_count_every_report_and_suites_that_never_ran(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(
        "<testsuites><testsuite><testcase/><testcase><failure/></testcase>"
        "<testcase><skipped/></testcase></testsuite></testsuites>"
    )
    (tmp_path / "b.xml").write_text('<testsuite><testcase status="run"/></testsuite>')
    (tmp_path / "c.failed").touch()
    done = subprocess.run(
        [sys.executable, TOOLS / "count_tests.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "2 passed, 2 failed, 1 skipped"


def test_no_test_at_all_is_a_failure(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, TOOLS / "count_tests.py", tmp_path], check=False)
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("call", "arguments", "sleeps"),
    [
        ("std::this_thread::sleep_for", "1ms", True),
        ("time.sleep", "0.1", True),
        ("usleep", "100", True),
        ("std::this_thread::yield", "", True),
        ("changed_.wait_for", "lock.native(), 5ms", True),
        ("changed_.wait_for", "lock, 5s, [this] { return done_; }", False),
        ("eventually", "[&] { return done; }", False),
    ],
)
def test_sleep_in_a_unit_test_is_found(
    tmp_path: Path, call: str, arguments: str, sleeps: bool
) -> None:
    (tmp_path / "tools").mkdir()
    tool = shutil.copy(TOOLS / "check_sleeps.sh", tmp_path / "tools")
    test = tmp_path / "tests/unit/core/a_test.cc"
    test.parent.mkdir(parents=True)
    test.write_text(f"    {call}({arguments});\n")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    done = subprocess.run([tool], capture_output=True, text=True, check=False)
    assert done.returncode == (1 if sleeps else 0)
    assert done.stdout == (f"tests/unit/core/a_test.cc:1:{test.read_text()}" if sleeps else "")

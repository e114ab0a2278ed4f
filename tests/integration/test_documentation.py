"""The documentation as a reader has it: each page's code runs in order, as it is printed."""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lepton_server import BINARY, ROOT
from pages import RUN, SHOWN, Block, blocks, pages

SESSION_SECONDS = 240  # One takes seconds; a machine that does other work needs more.
# A measurement of ten seconds shows a reader more than a test.
LEPTON = """#!/bin/bash
[ "$1" = bench ] && set -- "$@" --duration 300ms --warmup 100ms
exec {lepton} "$@"
"""
# A page's server is up before its next block runs, as it is when a person reads on.
AWAIT = """
until curl -q --silent --fail --output /dev/null http://127.0.0.1:{port}/v2/health/ready; do
    kill -0 $!
    sleep 0.05
done
"""
PAGES = pages("guides")
SESSIONS = [
    page for page in PAGES if any(b.language in RUN and not b.not_run for b in blocks(page))
]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def free_port() -> int:
    """Returns a port below those that the system gives to outgoing connections."""
    while True:
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def commands(block: Block, code: str, folder: Path) -> str:
    """Returns what a shell runs for a block of this code."""
    if block.language == "python":
        script = folder / f"line_{block.line}.py"
        script.write_text(code)
        return f"python {shlex.quote(str(script))}"
    if block.language == "console":
        return "\n".join(re.findall(r"^\$ (.*)$", code, re.MULTILINE))
    return code


def waits(code: str) -> str:
    """Returns commands that wait for the servers which the code leaves in the background."""
    starts = r"^(?:lepton (?:serve|demo)|python scripts/start_lepton_ai_service\.py)\b.*&$"
    lines = re.findall(starts, code, re.MULTILINE)
    ports = [(re.search(r"--port (\d+)", line) or ["", "8000"])[1] for line in lines]
    return "".join(AWAIT.format(port=port) for port in ports if port != "0")


def script_of(page: Path, folder: Path, ports: dict[str, str]) -> str:
    """Returns the page as one session of a shell."""

    def here(code: str) -> str:
        return re.sub("|".join(ports), lambda found: ports[found[0]], code)

    said = ["set -e -o pipefail"]
    for block in blocks(page):
        if not block.not_run and block.language in RUN:
            run = commands(block, here(block.code), folder)
            said += [f"echo '== line {block.line}'"]
            said += [here(code + waits(code)) for code in (block.run_first + "\n", run + "\n")]
    return "\n".join(said)


@pytest.fixture
def ports() -> dict[str, str]:
    """The ports that the pages name, and those that stand for them here."""
    return {documented: str(free_port()) for documented in ("8000", "9000")}


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder to work in that looks like a checkout, but for what a page writes into it."""
    folder = tmp_path / "desk"
    folder.mkdir()
    tracked = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    for name in tracked.stdout.split():
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture
def environment(tmp_path: Path, ports: dict[str, str]) -> dict[str, str]:
    programs = tmp_path / "bin"
    programs.mkdir()
    lepton = programs / "lepton"
    lepton.write_text(LEPTON.format(lepton=shlex.quote(f"{sys.prefix}/bin/lepton")))
    lepton.chmod(0o755)
    # An answer of 400 or more is a failure here.
    (tmp_path / ".curlrc").write_text("fail-with-body\nmax-time = 30\n")
    return {
        **os.environ,
        "PATH": f"{programs}:{sys.prefix}/bin:{os.environ['PATH']}",
        "CURL_HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "LEPTON_SERVER": str(BINARY),
        "LEPTON_PORT": ports["8000"],
        "LEPTON_URL": f"http://127.0.0.1:{ports['8000']}",
        "NO_COLOR": "1",
    }


def run_session(script: Path, desk: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Runs a script, ends what it left in the background, and returns its code and output."""
    log = script.with_suffix(".log")
    with log.open("w") as out:
        shell = subprocess.Popen(
            ["bash", script],
            cwd=desk,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            code = shell.wait(SESSION_SECONDS)
        except subprocess.TimeoutExpired:
            code = -1
        for number, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0)):
            until = time.monotonic() + patience
            try:
                os.killpg(shell.pid, number)
                while time.monotonic() < until:
                    shell.poll()
                    os.killpg(shell.pid, 0)
                    time.sleep(0.02)
            except ProcessLookupError:
                break
    return code, log.read_text(errors="replace")


@pytest.mark.slow
@pytest.mark.openvino
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", SESSIONS, ids=name_of)
def test_code_of_a_page_runs_in_order_as_printed(
    page: Path, tmp_path: Path, desk: Path, environment: dict[str, str], ports: dict[str, str]
) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    script = scripts / "page.sh"
    script.write_text(script_of(page, scripts, ports))
    code, said = run_session(script, desk, environment)
    assert code == 0, f"{name_of(page)} ended with {code}; the last lines are of\n{said[-4000:]}"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_python_of_the_pages_has_types_that_fit(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    for page in PAGES:
        for block in blocks(page):
            if block.language == "python":
                name = re.sub(r"\W", "_", f"{page.stem}_{block.line}")
                (tmp_path / f"{name}.py").write_text(block.code)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", tmp_path],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT / "python"), "MYPY_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_block_says_its_language_and_each_mark_its_reason(page: Path) -> None:
    text = page.read_text()
    assert text.count("\n```") == 2 * len(blocks(page)), "a fence that is no block of its own"
    for block in blocks(page):
        assert block.language in RUN + SHOWN, f"line {block.line}"
        assert block.language in RUN or not (block.not_run or block.run_first)
    marks = re.findall(r"<!--.*", text)
    marked = [block for block in blocks(page) if block.not_run or block.run_first]
    assert len(marks) == len(marked), "a mark that belongs to no block"


EVERY_PAGE = pages(".", "adr", "concepts", "guides", "reference")


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_tables_are_whole(page: Path) -> None:
    """Each table has a head, a rule and the same number of cells in all of its rows."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for table in re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE):
        rows = table.splitlines()
        assert len(rows) > 2 and re.fullmatch(r"\|(:?-+:?\|)+", rows[1]), rows[0]
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
        assert len(cells) == 1, rows[0]
        assert all(row.rstrip().endswith("|") for row in rows), rows[0]


@pytest.mark.parametrize("page", EVERY_PAGE, ids=name_of)
def test_links_lead_to_what_is_there(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not re.match(r"[a-z]+:", link):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\]\(.*?\)", "]", title).lower()).replace(" ", "-")
        for title in titles
    }


@pytest.mark.parametrize("index", ["docs/index.md", "mkdocs.yml"])
def test_every_page_is_in_the_index(index: str) -> None:
    text = (ROOT / index).read_text()
    for page in EVERY_PAGE:
        path = page.relative_to(ROOT / "docs") if page.is_relative_to(ROOT / "docs") else None
        if path and str(path) != "index.md" and not re.match(r"adr/\d", str(path)):
            assert str(path) in text

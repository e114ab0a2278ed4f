"""Runs clang-tidy on the sources that changed since they last passed.

For clang-tidy, a source is its preprocessed text, the configuration and the tool's version. Their
hash names an empty file in the cache once the source has passed; so a second run, even in a fresh
clone on the same machine, checks only what is new.

    python tools/run_tidy.py --build build/release [PATH_PREFIX...]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# g++'s options that clang does not know, and options that matter only for the object file.
UNKNOWN_TO_CLANG = {"-fno-plt", "-Werror"}
# The analysis of locks is a warning of clang's, which the configuration makes an error. Deprecation
# is left to g++: libstdc++ 12 uses what it deprecates.
EXTRA_FLAGS = ["-Wthread-safety", "-Wno-deprecated-declarations"]


@dataclass(frozen=True)
class Unit:
    """One source and the command that compiles it."""

    source: Path
    folder: Path
    arguments: list[str]


def read_units(build: Path, prefixes: list[str]) -> list[Unit]:
    """Returns our sources in the compilation database, without generated ones."""
    units = []
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = Path(entry["directory"], entry["file"]).resolve()
        if not source.exists() or not source.is_relative_to(ROOT) or source.is_relative_to(build):
            continue
        name = str(source.relative_to(ROOT))
        if not any(name.startswith(prefix) for prefix in prefixes):
            continue
        arguments = shlex.split(entry["command"])
        # The compiler may come after a launcher (ccache).
        compiler = next(i for i, a in enumerate(arguments) if re.search(r"(\+\+|clang|gcc)", a))
        units.append(Unit(source, Path(entry["directory"]), arguments[compiler:]))
    return sorted(units, key=lambda unit: unit.source)


def fingerprint(unit: Unit, salt: bytes) -> str:
    """Returns the hash for the source as clang-tidy sees it."""
    arguments = [a for a in unit.arguments if a != "-c"]
    if "-o" in arguments:
        at = arguments.index("-o")
        del arguments[at : at + 2]
    # Comments are kept (-C), because a NOLINT is one.
    done = subprocess.run(
        [*arguments, "-E", "-C", "-P", "-o", "-"], cwd=unit.folder, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"run_tidy: {unit.source}: {done.stderr.decode()[:2000]}")
    digest = hashlib.sha256(salt)
    digest.update(str(unit.source.relative_to(ROOT)).encode())
    # The path of the checkout is not part of what is checked.
    digest.update(done.stdout.replace(str(ROOT).encode(), b""))
    return digest.hexdigest()


def tidy(unit: Unit, tool: str) -> tuple[int, str]:
    """Returns clang-tidy's exit code and its output."""
    flags = [
        a for a in unit.arguments[1:] if a not in UNKNOWN_TO_CLANG and not a.startswith("-flto")
    ]
    done = subprocess.run(
        [tool, "--quiet", str(unit.source), "--", *flags, *EXTRA_FLAGS],
        cwd=unit.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + ("" if done.returncode == 0 else done.stderr)


def main() -> int:
    """Checks what is new; returns 1 if clang-tidy found something."""
    parser = argparse.ArgumentParser(description="Runs clang-tidy on what changed.")
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("prefixes", nargs="*", default=["src/lepton/", "engines/", "clients/cpp/"])
    options = parser.parse_args()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(home, "lepton", "tidy")
    cache.mkdir(parents=True, exist_ok=True)

    tool = str(Path(sys.executable).with_name("clang-tidy"))
    version = subprocess.run([tool, "--version"], capture_output=True, check=True).stdout
    salt = version + (ROOT / ".clang-tidy").read_bytes() + " ".join(EXTRA_FLAGS).encode()
    units = read_units(options.build.resolve(), options.prefixes)
    started = time.monotonic()

    def check(unit: Unit) -> tuple[Unit, bool, int, str]:
        passed = cache / fingerprint(unit, salt)
        if passed.exists():
            return unit, False, 0, ""
        code, said = tidy(unit, tool)
        if code == 0:
            passed.touch()
        return unit, True, code, said

    checked = failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for _, was_new, code, said in pool.map(check, units):
            checked += was_new
            if code != 0:
                failed += 1
                print(said.strip().replace(f"{ROOT}/", ""), flush=True)
    seconds = time.monotonic() - started
    print(
        f"clang-tidy: {checked} of {len(units)} files checked in {seconds:.0f} s, {failed} failed"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

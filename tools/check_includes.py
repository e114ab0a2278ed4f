"""Checks who includes whom, against the two tables in src/lepton/README.md.

Three rules: a module includes only the modules that its line names, less the headers that its line
with `-/->` names; a third-party header is included only in the modules that its line names; and
`co_await` is never followed by a lambda, which g++ 12.2 destroys twice (see CONTRIBUTING.md).

    python tools/check_includes.py
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLES = ROOT / "src/lepton/README.md"
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
AWAITED_LAMBDA = re.compile(r"co_await[^;{}]*?[(,\s]\[[^\]]*\]\s*(\(|\{|mutable)")
# What g++ and glibc provide needs no line in the table.
SYSTEM = re.compile(
    r"^([a-z_0-9]+|c[a-z]+|(sys|netinet|arpa|linux|net|bits)/[a-z_0-9]+\.h|[a-z_0-9]+\.h)$"
)


@dataclass(frozen=True)
class Tables:
    """What the README says.

    Module -> modules (or single headers), module -/-> headers of these, vendor header -> modules.
    """

    modules: dict[str, list[str]]
    barred: dict[str, list[str]]
    vendors: dict[str, list[str]]


def read_tables(text: str) -> Tables:
    """Returns the tables: the fenced blocks of `name -> names` lines under the two headings."""
    tables: list[dict[str, list[str]]] = []
    barred: dict[str, list[str]] = {}
    for block in re.findall(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for name, rest in re.findall(r"^(\S+)\s+-/->[ \t]*(.*)$", block, re.MULTILINE):
            barred[name] = rest.split()
        lines = re.findall(r"^(\S+)\s+->[ \t]*(.*)$", block, re.MULTILINE)
        if lines:
            tables.append({name: rest.split() for name, rest in lines})
    if len(tables) != 2:
        raise SystemExit(f"check_includes: {TABLES} has {len(tables)} tables, expected 2")
    return Tables(modules=tables[0], barred=barred, vendors=tables[1])


def module_of(path: Path) -> str:
    """Returns "net" for src/lepton/net/*, "engines/openvino", "clients/cpp" for their folders."""
    parts = path.relative_to(ROOT).parts
    return parts[2] if parts[0] == "src" else "/".join(parts[:2])


def allowed(table: dict[str, list[str]], module: str) -> list[str]:
    """Returns the line of `module`; `engines/*` stands for all engines."""
    line = table.get(module)
    if line is None and module.startswith("engines/"):
        line = table.get("engines/*")
    if line is None:
        raise SystemExit(f"check_includes: {TABLES} has no line for module {module}")
    return line


def included_module(header: str) -> str | None:
    """Returns the module that `header` belongs to, or None when it is not one of ours."""
    parts = header.split("/")
    if parts[0] == "lepton":
        # The public headers, "lepton/client.h", belong to no module of the server.
        return parts[1] if len(parts) > 2 else "clients/cpp"
    return "/".join(parts[:2]) if parts[0] == "engines" else None


def check_file(path: Path, tables: Tables) -> list[str]:
    """Returns the problems of one file, as `file:line: message`."""
    text = path.read_text()
    module = module_of(path)
    may = allowed(tables.modules, module)
    barred = tables.barred.get(module, [])
    problems: list[str] = []

    def report(offset: int, message: str) -> None:
        line = text.count("\n", 0, offset) + 1
        problems.append(f"{path.relative_to(ROOT)}:{line}: {message}")

    for match in INCLUDE.finditer(text):
        header = match.group(2)
        other = included_module(header)
        if other is not None:
            if other not in (module, *may) and header.removeprefix("lepton/") not in may:
                names = " ".join(may) or "nothing"
                report(match.start(1), f"{module} may not include {header}; it may: {names}")
            if header.removeprefix("lepton/") in barred:
                report(match.start(1), f"{module} may not include {header}, though its module")
            continue
        vendor = next((v for v in tables.vendors if fnmatch(header, v)), None)
        if vendor is not None:
            users = tables.vendors[vendor]
            if module not in users:
                report(match.start(1), f"{header} is for {' '.join(users)} only, not for {module}")
        elif not SYSTEM.match(header) and match.group(1) == "<":
            report(match.start(1), f"{header} has no line in the table of third-party headers")
        elif match.group(1) == '"' and not (path.parent / header).exists():
            report(match.start(1), f'"{header}" is not a path from src/')
    for match in AWAITED_LAMBDA.finditer(re.sub(r"//[^\n]*", lambda m: " " * len(m[0]), text)):
        report(match.start(), "a lambda in a co_await expression; name it on the line before")
    return problems


def main() -> int:
    """Prints every problem; returns 1 if there is one."""
    tables = read_tables(TABLES.read_text())
    files = [
        path
        for folder in ("src/lepton", "engines", "clients", "python/_native")
        for pattern in ("*.h", "*.cc")
        for path in sorted((ROOT / folder).rglob(pattern))
    ]
    problems = [problem for path in files for problem in check_file(path, tables)]
    for problem in problems:
        print(problem)
    if not problems:
        print(f"check_includes: {len(files)} files follow the tables")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

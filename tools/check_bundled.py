"""Compares the content of a wheel with the versions in SECURITY.md without known vulnerabilities.

    python tools/check_bundled.py wheelhouse/lepton_serving-0.1.0-….whl

Reads the wheel's lists (CycloneDX, PEP 770). Ends with 1 if a library is older than the table says,
or is not in it. Versions are compared as Debian does, by dpkg.
"""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "SECURITY.md"


def carried(wheel: Path) -> dict[str, str]:
    """The versions in the wheel, by name; OpenSSL's two libraries are one package."""
    found = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if re.search(r"\.dist-info/sboms/[^/]+\.cdx\.json$", name):
                for part in json.loads(archive.read(name))["components"]:
                    found[part["name"]] = part["version"]
    found.pop("lepton_serving", None)
    return found


def known_fixed() -> dict[str, str]:
    """The first two columns of the table."""
    rows = re.findall(r"^\| (\S+) \| (\d\S*) \|", TABLE.read_text(), re.M)
    return dict(rows)


def is_older(version: str, other: str) -> bool:
    """Compares versions in Debian's order."""
    compare = ["dpkg", "--compare-versions", version, "lt", other]
    return subprocess.run(compare, check=False).returncode == 0


def complaints(carried: dict[str, str], fixed: dict[str, str]) -> list[str]:
    """What must be done before the wheel may be published; nothing if all is well."""
    said = []
    for name, version in sorted(carried.items()):
        if name not in fixed:
            said.append(f"{name} {version} is not in the table of SECURITY.md; add it")
        elif is_older(version, fixed[name]):
            said.append(
                f"{name} {version} is older than {fixed[name]}; upgrade it, and build again"
            )
    return said


def main(arguments: list[str]) -> int:
    """Prints the content of the wheel, and what is wrong with it."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    found = carried(Path(arguments[0]))
    if not found:
        print(f"{arguments[0]} lists nothing that it carries", file=sys.stderr)
        return 1
    wrong = complaints(found, known_fixed())
    print(f"{len(found)} libraries inside, {len(wrong)} of them to be looked at")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Our name on the package index: `lepton` there has belonged to somebody else since 2017."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = ("clients", "docs", "engines", "examples", "python", "scripts", "src", "tools")
TEXTS = {".cc", ".h", ".html", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"}
# "lepton[text]", and "pip install" followed by options and "lepton"; not "lepton-serving".
OTHERS = re.compile(r"lepton\[\w+\]|pip install (?:-\S+ )*['\"]?lepton(?![-\w/])")


def texts():
    yield from ROOT.glob("*.md")
    yield ROOT / "pyproject.toml"
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in TEXTS and path.is_file():
                yield path


def test_the_distribution_is_ours():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] == "lepton-serving"
    assert project["scripts"] == {"lepton": "lepton.__main__:main"}


def test_nobody_is_told_to_install_the_other_one():
    told = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in texts()
        for found in OTHERS.finditer(path.read_text(errors="replace"))
    ]
    assert not told, "\n".join(told)
    assert OTHERS.search("pip install -U lepton") and OTHERS.search("pip install 'lepton[text]'")
    assert not OTHERS.search("pip install 'lepton-serving[text]' lepton-serving")

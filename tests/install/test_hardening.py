"""How the wheel's programs and libraries are built and what they contain, as SECURITY.md says."""

from __future__ import annotations

import io
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"lepton-server", "lepton-bench", "lepton-probe"}
IS_X86 = platform.machine() == "x86_64"
ENDBR64 = b"\xf3\x0f\x1e\xfa"


@pytest.fixture(scope="module")
def ours(wheel: Path) -> dict[str, ELFFile]:
    """The binaries compiled from this repository; bundled libraries are as Debian built them."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: ELFFile(io.BytesIO(archive.read(name)))
            for name in archive.namelist()
            if Path(name).name in PROGRAMS or (name.startswith("lepton/") and name.endswith(".so"))
        }


def dynamic(file: ELFFile) -> DynamicSection:
    section = file.get_section_by_name(".dynamic")
    assert isinstance(section, DynamicSection)
    return section


def called(file: ELFFile) -> set[str]:
    symbols = file.get_section_by_name(".dynsym")
    assert isinstance(symbols, SymbolTableSection)
    return {symbol.name for symbol in symbols.iter_symbols() if symbol["st_shndx"] == "SHN_UNDEF"}


def test_all_of_ours_is_looked_at(ours: dict[str, ELFFile]) -> None:
    assert len(ours) == 5, list(ours)


def test_tables_of_addresses_cannot_be_written(ours: dict[str, ELFFile]) -> None:
    for name, file in ours.items():
        segments = {segment["p_type"]: segment for segment in file.iter_segments()}
        assert "PT_GNU_RELRO" in segments, name
        tags = {tag.entry.d_tag: tag.entry.d_val for tag in dynamic(file).iter_tags()}
        bound_now = tags.get("DT_FLAGS", 0) & 0x8 or tags.get("DT_FLAGS_1", 0) & 0x1
        assert bound_now or "DT_BIND_NOW" in tags, name
        assert "DT_TEXTREL" not in tags, name


def test_code_lies_anywhere_and_data_is_no_code(ours: dict[str, ELFFile]) -> None:
    for name, file in ours.items():
        assert file["e_type"] == "ET_DYN", name
        stack = [segment for segment in file.iter_segments() if segment["p_type"] == "PT_GNU_STACK"]
        assert len(stack) == 1, name
        for segment in file.iter_segments():
            assert segment["p_flags"] & 0b011 != 0b011, f"{name}: written and run"


def test_writing_past_an_end_is_seen(ours: dict[str, ELFFile]) -> None:
    for name, file in ours.items():
        assert "__stack_chk_fail" in called(file), name
    server = next(file for name, file in ours.items() if name.endswith("/lepton-server"))
    assert [name for name in called(server) if name.endswith("_chk") and "stack" not in name]


@pytest.mark.skipif(not IS_X86, reason="control-flow enforcement as x86 has it")
def test_places_that_may_be_jumped_to_are_marked(ours: dict[str, ELFFile]) -> None:
    """Whether a program as a whole is marked is decided by the C library's own objects as well."""
    for name, file in ours.items():
        code = file.get_section_by_name(".text").data()
        assert code.count(ENDBR64) > 100, name


def test_wheel_lists_what_it_carries_and_nothing_has_a_known_weakness(wheel: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools/check_bundled.py", wheel],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(wheel) as archive:
        bundled = {
            Path(name).name.split("-")[0]
            for name in archive.namelist()
            if name.startswith("lepton_serving.libs/")
        }
    sys.path.insert(0, str(ROOT / "tools"))
    from check_bundled import carried, complaints, known_fixed

    found = carried(wheel)
    assert len(bundled) > 5
    assert len(found) >= len(bundled)
    assert {"boost", "nanobind", "libnghttp2-14", "libssl3"} <= set(found)
    old = {**found, "libnghttp2-14": "1.52.0-1"}
    assert len(complaints(old, known_fixed())) == 1
    assert len(complaints({**found, "libnew1": "1.0"}, known_fixed())) == 1

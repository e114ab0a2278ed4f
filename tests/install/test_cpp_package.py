"""The C++ package as its users have it: installed in a folder, found by find_package(lepton)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"

IN_PROCESS = """
#include <array>
#include <cstdio>
#include <lepton/server.h>

int main(int, char** argv) {
    lepton::ServerOptions options;
    options.services = {argv[1]};
    options.engines_dir = argv[2];
    auto server = lepton::Server::open(options);
    if (!server) return std::fprintf(stderr, "%s\\n", server.error().message.c_str()), 1;
    const std::array<float, 64> image{};
    lepton::InferRequest request;
    request.model = "digits";
    request.inputs = {
        lepton::make_input("image", std::span<const float>(image), {1, 1, 8, 8})};
    const auto result = server->infer(request);
    if (!result) return std::fprintf(stderr, "%s\\n", result.error().message.c_str()), 1;
    for (const float value : (*result)["probabilities"].as<float>()) std::printf("%g ", value);
}
"""
IN_PROCESS_CMAKE = """
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES CXX)
find_package(lepton 0.1 REQUIRED COMPONENTS {component})
add_executable(user main.cc)
target_compile_features(user PRIVATE cxx_std_20)
target_link_libraries(user PRIVATE lepton::server)
"""


def say(*command: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (BUILD / "build.ninja").exists():
        say("cmake", "--preset", "release", "-S", ROOT)
    say("cmake", "--build", BUILD, "--target", "cpp", "product")
    folder = tmp_path_factory.mktemp("prefix")
    say("cmake", "--install", BUILD, "--component", "cpp", "--prefix", folder)
    return folder


@pytest.fixture(scope="module")
def examples(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Builds the client's examples against nothing but what is installed."""
    folder = tmp_path_factory.mktemp("examples")
    # A copy, so that what lies beside them in the repository is not found by accident.
    shutil.copytree(ROOT / "clients/cpp/examples", folder / "source")
    build(folder / "source", folder / "build", prefix)
    return folder / "build"


def build(source: Path, folder: Path, prefix: Path) -> None:
    say("cmake", "-S", source, "-B", folder, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}")
    say("cmake", "--build", folder)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("service")
    version = folder / "digits/1"
    version.mkdir(parents=True)
    shutil.copy(ROOT / "examples/digits/model.onnx", version)
    return folder


@pytest.fixture(scope="module")
def url(service: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    ready = tmp_path_factory.mktemp("ready") / "ready.json"
    arguments = ["serve", service, "--host", "127.0.0.1", "--port", "0", "--ready-file", ready]
    process = subprocess.Popen([BUILD / "bin/lepton-server", *arguments])
    until = time.monotonic() + 30
    while not ready.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    try:
        assert ready.exists(), f"the server ended with {process.poll()}"
        yield f"127.0.0.1:{json.loads(ready.read_text())['port']}"
    finally:
        process.terminate()
        process.wait(10)


def probabilities(text: str) -> float:
    return sum(float(value) for value in text.split(":")[-1].split())


def test_headers_are_those_of_the_client_and_what_they_need(prefix: Path) -> None:
    headers = {str(path.relative_to(prefix)) for path in prefix.rglob("*.h")}
    assert {f"include/lepton/{name}.h" for name in ("client", "server", "inference")} <= headers
    assert not [name for name in headers if "exchange" in name or "scheduler" in name]


@pytest.mark.parametrize("wire", ["http", "grpc"])
def test_installed_client_asks_a_real_server(examples: Path, url: str, wire: str) -> None:
    said = say(examples / "client_sync", f"{wire}://{url}", "digits").stdout
    assert said.startswith("probabilities FP32 [1,10]:")
    assert probabilities(said) == pytest.approx(1, abs=1e-4)


def test_many_calls_in_flight(examples: Path, url: str) -> None:
    assert "100 of 100 answered" in say(examples / "client_async", f"http://{url}").stdout


def test_hedged_calls(examples: Path, url: str) -> None:
    said = say(examples / "client_hedged", f"http://{url}", f"grpc://{url}").stdout
    assert said.startswith("2000 calls")


def test_server_that_is_not_there_is_one_line(examples: Path) -> None:
    failed = say(examples / "client_sync", "http://127.0.0.1:9", "digits", check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith("client_sync: no server at http://127.0.0.1:9")
    assert failed.stderr.count("\n") == 1


def test_server_in_the_own_process(prefix: Path, service: Path, tmp_path: Path) -> None:
    (tmp_path / "main.cc").write_text(IN_PROCESS)
    (tmp_path / "CMakeLists.txt").write_text(IN_PROCESS_CMAKE.format(component="server"))
    build(tmp_path, tmp_path / "build", prefix)
    said = say(tmp_path / "build/user", service, BUILD / "lib/engines").stdout
    assert probabilities(said) == pytest.approx(1, abs=1e-4)


def test_autodrive_is_built_and_drives_by_itself(prefix: Path, tmp_path: Path) -> None:
    example = ROOT / "examples/autodrive"
    shutil.copytree(example / "cpp", tmp_path / "source")
    build(tmp_path / "source", tmp_path / "build", prefix)
    (tmp_path / "service/planner/1").mkdir(parents=True)
    shutil.copy(example / "model.onnx", tmp_path / "service/planner/1")
    said = say(
        tmp_path / "build/autodrive", "--service", tmp_path / "service",
        "--engines", BUILD / "lib/engines", "--course", example / "course.csv", "--seconds", 1,
    ).stdout  # fmt: skip
    assert "30 frames at 30.00 Hz" in said


def test_unknown_component_is_named(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "main.cc").touch()
    (tmp_path / "CMakeLists.txt").write_text(IN_PROCESS_CMAKE.format(component="sever"))
    failed = say(
        "cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}",
        check=False,
    )  # fmt: skip
    assert failed.returncode != 0
    assert "no component sever" in " ".join(failed.stderr.split())


def test_package_names_no_path_of_the_build(prefix: Path) -> None:
    for file in prefix.rglob("*.cmake"):
        assert os.fspath(ROOT) not in file.read_text(), file

"""`lepton.serving`: a server for as long as a program needs it."""

import os

import pytest
from fake_models import identity, write_model
from lepton_server import BINARY

import lepton

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setenv("LEPTON_TUNING", "first")


@pytest.fixture
def repository(tmp_path):
    write_model(tmp_path / "models", "four", identity(shape=[-1, 4]))
    return tmp_path / "models"


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_serves_as_long_as_the_block(repository):
    with lepton.serving(repository, binary=BINARY) as server:
        assert server.models == ["four"]
        assert f":{server.port}" in server.url
        assert server.url in repr(server)
        for url in (server.url, f"unix:{server.unix_socket}"):
            with lepton.LeptonAI(url) as ai:
                assert ai.inference([[1.0, 2.0, 3.0, 4.0]]).tolist() == [[1, 2, 3, 4]]
        assert "listening" in server.log
    assert gone(server.pid)


def test_it_ends_where_the_block_fails(repository):
    with pytest.raises(KeyError), lepton.serving(repository, binary=BINARY) as server:
        raise KeyError
    assert gone(server.pid)


def test_options_environment_and_wrapper_are_the_servers(repository):
    with lepton.serving(
        repository,
        *("--log-level", "warn"),
        binary=BINARY,
        wrapper=["env", "LEPTON_MAX_BODY_BYTES=1000"],
        environment={"LEPTON_TRITON_ERRORS": "1"},
    ) as server:
        assert "listening" not in server.log
        with (
            lepton.LeptonAI(server.url) as ai,
            pytest.raises(lepton.LeptonError, match="1000"),
        ):
            ai.inference([[1.0] * 4] * 1000)


def test_what_does_not_start_says_why(tmp_path):
    with (
        pytest.raises(
            lepton.Unavailable, match=r"(?s)the server ended; its log ends with:.*nothing"
        ),
        lepton.serving(tmp_path / "nothing", binary=BINARY),
    ):
        pass
    with (
        pytest.raises(lepton.Unavailable, match=r"cannot start .*/no-such: No such file"),
        lepton.serving(tmp_path, binary=tmp_path / "no-such"),
    ):
        pass

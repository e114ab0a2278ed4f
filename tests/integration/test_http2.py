"""HTTP/2 with prior knowledge beyond what curl can say; h2spec covers the frames themselves."""

import socket

import pytest
from raw_http import RawConnection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
EMPTY_SETTINGS = b"\0\0\0\4\0\0\0\0\0"
GOAWAY = 7


def read_until_end(connection: socket.socket) -> bytes:
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return data


def frame_types(data: bytes) -> list[int]:
    types = []
    while len(data) >= 9:
        types.append(data[3])
        data = data[9 + int.from_bytes(data[:3], "big") :]
    return types


@pytest.mark.parametrize("cut", [1, 3, 23])
def test_the_preface_may_arrive_in_pieces(server, cut):
    with RawConnection(server.port) as connection:
        connection.send(PREFACE[:cut])
        connection.send(PREFACE[cut:] + EMPTY_SETTINGS)
        head = connection.socket.recv(9)
        assert head[3] == 4  # SETTINGS


@pytest.mark.parametrize(
    "garbage",
    [b"\xff" * 200, b"\0\0\5\1\4\0\0\0\1" + b"\xff" * 5, b"\0\0\0\0\0\0\0\0\0"],
    ids=["no frames", "bad header block", "data on stream 0"],
)
def test_what_breaks_the_protocol_ends_the_connection(server, garbage):
    with RawConnection(server.port) as connection:
        connection.send(PREFACE + EMPTY_SETTINGS + garbage)
        assert GOAWAY in frame_types(read_until_end(connection.socket))


def test_a_broken_preface_ends_the_connection(server):
    with RawConnection(server.port) as connection:
        connection.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
        read_until_end(connection.socket)

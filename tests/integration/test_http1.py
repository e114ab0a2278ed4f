"""HTTP/1.1 on the wire: kept connections, pipelining, and what broken clients send.

Clauses are from RFC 9112 (HTTP/1.1) and RFC 9110 (HTTP semantics).
"""

import gzip
import json
import socket
import threading
import time

import pytest
from fake_models import identity, write_model
from raw_http import RawConnection, four, infer_request, slow

POST = "POST /v2/models/four/infer HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(params=["tcp", "unix"])
def connection(server, request):
    target = server.port if request.param == "tcp" else server.unix_socket
    with RawConnection(target) as connection:
        yield connection


class TestKeepAlive:
    def test_a_connection_serves_many_requests(self, connection):
        for i in range(50):
            connection.send(infer_request("plus_one", four(i, 0, 0, 0)))
            assert connection.read_answer().json["outputs"][0]["data"] == [i + 1, 1, 1, 1]

    def test_close_is_honoured(self, connection):
        """9112 section 9.6: a server closes after the answer to a request with "close"."""
        connection.send(infer_request("four", four(), "Connection: close"))
        answer = connection.read_answer()
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        assert connection.is_closed_by_peer()

    def test_http_1_0_closes_unless_asked_to_keep(self, connection):
        """9112 section 9.3."""
        connection.send("GET /v2/health/live HTTP/1.0\r\n\r\n")
        assert connection.read_answer().status == 200
        assert connection.is_closed_by_peer()

    def test_http_1_0_keeps_when_asked_to(self, connection):
        for _ in range(2):
            connection.send("GET /v2/health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert connection.read_answer().status == 200

    def test_an_error_of_the_request_keeps_the_connection(self, connection):
        connection.send(infer_request("nobody", four()))
        assert connection.read_answer().status == 404
        connection.send(infer_request("four", b"{"))
        assert connection.read_answer().status == 400
        connection.send(infer_request("four", four()))
        assert connection.read_answer().status == 200


class TestPipelining:
    def test_answers_come_in_the_order_of_the_requests(self, connection):
        """9112 section 9.3.2, also if a later one would be done sooner."""
        requests = [infer_request("slow", slow(id="slow"))]
        requests += [infer_request("four", four(i, 0, 0, 0, id=str(i))) for i in range(20)]
        connection.send(b"".join(requests))
        ids = [connection.read_answer().json["id"] for _ in requests]
        assert ids == ["slow", *map(str, range(20))]

    def test_an_error_in_the_middle_does_not_shift_the_rest(self, connection):
        connection.send(
            infer_request("four", four(id="1"))
            + infer_request("nobody", four(id="2"))
            + infer_request("four", four(id="3"))
        )
        assert connection.read_answer().json["id"] == "1"
        assert connection.read_answer().status == 404
        assert connection.read_answer().json["id"] == "3"

    def test_close_discards_what_follows(self, connection):
        connection.send(
            infer_request("four", four(), "Connection: close") + infer_request("four", four())
        )
        assert connection.read_answer().status == 200
        assert connection.is_closed_by_peer()


class TestFraming:
    def test_a_request_may_arrive_byte_by_byte(self, connection):
        for byte in infer_request("four", four(id="slow writer")):
            connection.send(bytes([byte]))
        assert connection.read_answer().json["id"] == "slow writer"

    def test_chunks_of_any_size_with_extensions_and_trailers(self, connection):
        """9112 section 7.1."""
        body = infer_request("four", four()).split(b"\r\n\r\n", 1)[1]
        cuts = [body[:1], body[1:2], body[2:40], body[40:]]
        chunks = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(cut), cut) for cut in cuts)
        connection.send(
            (POST + "Transfer-Encoding: chunked\r\n\r\n").encode()
            + chunks + b"0\r\nSome-Trailer: 1\r\n\r\n"
        )  # fmt: skip
        assert connection.read_answer().status == 200

    def test_expect_continue(self, connection):
        """9110 section 10.1.1: the interim answer comes before the body was sent."""
        request = infer_request("four", four(), "Expect: 100-continue")
        head, body = request.split(b"\r\n\r\n", 1)
        connection.send(head + b"\r\n\r\n")
        assert connection.read_answer().status == 100
        connection.send(body)
        assert connection.read_answer().status == 200

    def test_head_has_the_fields_of_get_and_no_body(self, connection):
        """9110 section 9.3.2."""
        connection.send("HEAD /v2/models/four HTTP/1.1\r\nHost: test\r\n\r\n")
        answer = connection.read_answer(has_body=False)
        assert answer.status == 200
        assert int(answer.headers["content-length"]) > 0
        connection.send("GET /v2/health/live HTTP/1.1\r\nHost: test\r\n\r\n")
        assert connection.read_answer().status == 200

    @pytest.mark.parametrize(
        "head",
        [
            "GET\r\n\r\n",
            "GET /v2 HTTP/9.9\r\n\r\n",
            "GET /v2 HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            "GET /v2 HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n",
            POST + "Content-Length: -1\r\n\r\n",
            POST + "Content-Length: 9999999999999999999999\r\n\r\n",
            POST + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            # 6.1: sending both is an attempt at smuggling.
            POST + "Content-Length: 1\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            POST + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n",
        ],
        ids=[
            "no target", "version", "no colon", "space in name", "negative length",
            "overflowing length", "two lengths", "length and chunked", "bad chunk", "tls",
        ],
    )  # fmt: skip
    def test_malformed_heads_are_refused_and_the_connection_ends(self, server, connection, head):
        connection.send(head.encode("latin-1"))
        try:
            answer = connection.read_answer()
        except ConnectionError:
            return  # It ended without a word, which is right for what is not HTTP at all.
        assert answer.status in (400, 501, 505)
        assert connection.is_closed_by_peer()

    @pytest.mark.parametrize(
        ("head", "statuses"),
        [
            (POST + "Transfer-Encoding: xchunked\r\n\r\n", {400}),
            (POST + "Transfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\n{} ", {400}),
            (POST + "Transfer-Encoding: gzip, chunked\r\n\r\n", {501}),
            (POST + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", {400}),
            (POST + "Content-Length: 2, 2\r\n\r\n{}", {400}),
            (POST + "Host: b\r\nContent-Length: 0\r\n\r\n", {400}),
            (POST + "Content-Length : 2\r\n\r\n{}", {400}),
            (POST + "A: b\r\n c\r\n\r\n", {400}),
            (POST + "A: b\nContent-Length: 2\r\n\r\n{}", {400}),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", {400}),
        ],
    )
    def test_what_follows_a_doubtful_request_is_no_request(self, connection, head, statuses):
        """9112 section 11.2: request smuggling."""
        connection.send(head + "GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.read_answer().status in statuses
        assert connection.is_closed_by_peer()

    def test_trailers_are_not_taken_for_fields(self, connection):
        """9110 section 6.5.1."""
        body = infer_request("four", four()).split(b"\r\n\r\n", 1)[1]
        connection.send(
            (POST + "Transfer-Encoding: chunked\r\n\r\n").encode()
            + b"%x\r\n%b\r\n0\r\nContent-Encoding: bogus\r\n\r\n" % (len(body), body)
        )  # fmt: skip
        assert connection.read_answer().status == 200

    def test_an_empty_line_before_a_request_is_skipped(self, connection):
        """9112 section 2.2."""
        for _ in range(2):
            connection.send(b"\r\n" + infer_request("four", four()))
            assert connection.read_answer().status == 200

    def test_a_head_over_the_limit_is_refused(self, connection):
        connection.send("GET /v2 HTTP/1.1\r\nHost: test\r\nCookie: " + "x" * 20_000 + "\r\n\r\n")
        assert connection.read_answer().status in (400, 413, 431)
        assert connection.is_closed_by_peer()


class TestHalfClosed:
    """A client may shut down its side after its last request, and read on."""

    def read_all(self, connection) -> bytes:
        received = b""
        while data := connection.socket.recv(65536):
            received += data
        return received

    def test_all_pipelined_requests_are_answered(self, connection):
        requests = [infer_request("four", four(id=str(i))) for i in range(20)]
        connection.send(b"".join(requests))
        connection.socket.shutdown(socket.SHUT_WR)
        received = self.read_all(connection)
        assert received.count(b"HTTP/1.1 200 OK\r\n") == 20
        assert received.startswith(b"HTTP/1.1 200 OK\r\n")

    @pytest.mark.parametrize("version", ["1.0", "1.1"])
    def test_answers_that_take_long_arrive_too(self, connection, version):
        request = infer_request("slow", slow(50))
        connection.send(request.replace(b"HTTP/1.1", b"HTTP/" + version.encode()))
        connection.socket.shutdown(socket.SHUT_WR)
        received = self.read_all(connection)
        head, body = received.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert json.loads(body)["model_name"] == "slow"

    def test_a_request_that_is_cut_off_is_none(self, connection):
        connection.send(infer_request("four", four()) + infer_request("four", four())[:-1])
        connection.socket.shutdown(socket.SHUT_WR)
        assert self.read_all(connection).count(b"HTTP/1.1 ") == 1

    def test_who_is_gone_is_told_from_who_reads_on(self, server):
        """On both kinds of sockets; the queue must not keep the requests of clients that left."""
        before = server.requests_of("slow", "cancelled")
        with RawConnection(server.port) as busy:
            busy.send(infer_request("slow", slow(400)))
            time.sleep(0.05)
            for target in (server.port, server.unix_socket):
                gone = RawConnection(target)
                gone.send(infer_request("slow", slow(400)))
                time.sleep(0.05)
                gone.socket.close()
            server.wait_for_outcome("slow", "cancelled", before + 2)
            assert busy.read_answer().status == 200


class TestUnreadAnswers:
    def test_a_client_that_does_not_read_is_not_worked_for(self, start_server, tmp_path):
        """Each answer is about 10 MB, and 64 MiB may be unsent: hundreds of them are never made."""
        repository = tmp_path / "models"
        write_model(repository, "wide", identity(shape=[-1, 2_500_000]))
        server = start_server(repository).wait_until_ready()
        values = b"\0" * 10_000_000
        head = json.dumps(
            {
                "inputs": [
                    {
                        "name": "x",
                        "shape": [1, 2_500_000],
                        "datatype": "FP32",
                        "parameters": {"binary_data_size": len(values)},
                    }
                ],
                "parameters": {"binary_data_output": True},
            }
        ).encode()
        request = infer_request(
            "wide", head + values, f"Inference-Header-Content-Length: {len(head)}"
        )
        count = 40
        with RawConnection(server.port, seconds=60) as connection:
            sender = threading.Thread(
                target=lambda: [connection.send(request) for _ in range(count)]
            )
            sender.start()
            time.sleep(3)
            assert sender.is_alive()  # Its socket is full: the server has stopped reading.
            assert server.requests_of("wide", "ok") < 20
            for _ in range(count):
                assert connection.read_answer().status == 200
            sender.join()
        assert server.requests_of("wide", "ok") == count


class TestContentCodings:
    @pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate", "deflate, gzip, br, zstd"])
    def test_answers_are_compressed_for_who_lists_it(self, server, accepted):
        answer = server.infer("four", four(), {"Accept-Encoding": accepted})
        assert answer.headers["content-encoding"] == "gzip"
        assert json.loads(gzip.decompress(answer.body))["model_name"] == "four"

    def test_metrics_are_compressed_when_asked(self, server):
        answer = server.get("/metrics", {"Accept-Encoding": "gzip"})
        assert b"lepton_requests_total" in gzip.decompress(answer.body)

    def test_x_gzip_and_several_members_are_read(self, server):
        body = json.dumps(four()).encode()
        packed = gzip.compress(body[:20]) + gzip.compress(body[20:])
        assert server.infer("four", packed, {"Content-Encoding": "x-gzip"}).status == 200


class TestNames:
    def test_names_that_are_not_utf8_or_have_line_breaks(self, start_server, tmp_path):
        repository = tmp_path / "models"
        write_model(repository, "two\nlines", identity())
        write_model(repository, "latin", identity())
        (repository / "latin").rename(repository / "caf\udce9")
        server = start_server(repository).wait_until_ready()
        names = {"two\nlines", "caf\N{REPLACEMENT CHARACTER}"}
        assert set(json.loads(server.ready_file.read_bytes().decode())["models"]) == names
        assert set(json.loads(server.get("/").body.decode())["models"]) == names
        page = server.get("/metrics").body.decode()
        assert 'model="two\\nlines"' in page
        assert 'model="caf\N{REPLACEMENT CHARACTER}"' in page
        assert server.infer("caf%E9", four()).status == 200

    def test_an_unknown_model_is_said_before_its_inputs_are_looked_at(self, server):
        for body in (b"", b"{", b'{"inputs":[{}]}'):
            assert server.infer("nobody", body).status == 404

    def test_what_cannot_be_decoded_is_counted(self, server):
        before = server.requests_of("four", "invalid_argument")
        bodies = (b"", b"{", four(1, 2, 3, "a"))
        for body in bodies:
            assert server.infer("four", body).status == 400
        assert server.infer("four", four(), {"Content-Encoding": "gzip"}).status == 400
        assert server.requests_of("four", "invalid_argument") == before + len(bodies) + 1


class TestLimits:
    @pytest.fixture
    def strict_server(self, keep_server, zoo):
        server = keep_server(
            zoo, "--max-body-bytes", "10000",
            "--head-timeout", "300ms", "--body-idle-timeout", "300ms",
        )  # fmt: skip
        yield server
        server.is_well()

    def test_a_body_over_the_limit_is_refused_before_it_is_read(self, strict_server):
        with RawConnection(strict_server.port) as connection:
            connection.send(POST + "Content-Length: 10001\r\n\r\n")
            answer = connection.read_answer()
            assert answer.status == 413
            assert "10000" in answer.error

    @pytest.mark.parametrize(
        ("start", "piece"),
        [(b"2;", b"a" * 65536), (b"0\r\n", b"a: b\r\n" * 10000), (b"", b"0" * 65536)],
        ids=["extension", "trailers", "zeros"],
    )
    def test_what_is_around_chunks_is_bounded(self, strict_server, start, piece):
        with RawConnection(strict_server.port) as connection:
            connection.send((POST + "Transfer-Encoding: chunked\r\n\r\n").encode() + start)
            connection.send(piece)
            assert connection.read_answer().status == 400

    def test_chunks_over_the_limit_are_refused(self, strict_server):
        with RawConnection(strict_server.port) as connection:
            connection.send(POST + "Transfer-Encoding: chunked\r\n\r\n")
            connection.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            connection.send(b"2000\r\n" + b"x" * 8192)
            assert connection.read_answer().status == 413

    def test_a_body_that_inflates_over_the_limit_is_refused(self, strict_server):
        body = gzip.compress(b" " * 1_000_000)
        assert len(body) < 10_000
        answer = strict_server.infer("four", body, {"Content-Encoding": "gzip"})
        assert answer.status == 413
        assert "10000" in answer.error

    @pytest.mark.parametrize(
        "start",
        [
            b"GET /v2 HT",
            POST.encode() + b"Content-Length: 100\r\n\r\n{",
        ],
        ids=["head", "body"],
    )
    def test_who_stops_in_the_middle_is_cut_off(self, strict_server, start):
        with RawConnection(strict_server.port) as connection:
            connection.send(start)
            before = time.monotonic()
            try:
                assert connection.read_answer().status == 408
                assert connection.is_closed_by_peer()
            except ConnectionError:
                pass
            assert 0.2 < time.monotonic() - before < 5

    def test_an_idle_connection_is_kept(self, strict_server):
        with RawConnection(strict_server.port) as connection:
            for _ in range(2):
                connection.send("GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n")
                assert connection.read_answer().status == 200
                time.sleep(0.5)

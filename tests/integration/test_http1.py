"""HTTP/1.1 on the wire: kept connections, pipelining, and what clients send when they are broken.

Clauses are of RFC 9112 (HTTP/1.1) and RFC 9110 (HTTP semantics).
"""

import time

import pytest
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
        """9112 section 9.3.2, also when a later one would be done sooner."""
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
            # 6.1: both is an attempt at smuggling.
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
            return  # Ended without a word, which is right for what is not HTTP at all.
        assert answer.status in (400, 501, 505)
        assert connection.is_closed_by_peer()

    def test_a_head_over_the_limit_is_refused(self, connection):
        connection.send("GET /v2 HTTP/1.1\r\nHost: test\r\nCookie: " + "x" * 20_000 + "\r\n\r\n")
        assert connection.read_answer().status in (400, 413, 431)
        assert connection.is_closed_by_peer()


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

    def test_chunks_over_the_limit_are_refused(self, strict_server):
        with RawConnection(strict_server.port) as connection:
            connection.send(POST + "Transfer-Encoding: chunked\r\n\r\n")
            connection.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            connection.send(b"2000\r\n" + b"x" * 8192)
            assert connection.read_answer().status == 413

    def test_a_body_that_inflates_over_the_limit_is_refused(self, strict_server):
        import gzip

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

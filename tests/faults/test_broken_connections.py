"""Connections that break, drip, lead elsewhere or cannot be trusted; real sockets, loopback."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from tests.core.test_http import Server, always, answer
from tests.faults.wire import LIMIT, fails, named, nobody_accepts, send

pytestmark = pytest.mark.usefixtures("no_proxy_from_outside")


# ---------------------------------------------------------------------- the time limit


@pytest.mark.fault("C2", "C6")
def test_all_addresses_of_a_host_share_the_time_limit(sender, monkeypatch):
    """A name has forty addresses, and no connection to any of them is ever made.

    All of it ends at the time limit of the request.
    """
    named(monkeypatch, many=[f"127.0.0.{last}" for last in range(1, 41)])
    with nobody_accepts() as port:
        text, took = fails(sender, f"http://many.example:{port}/v1", timeout=0.6)
    assert text == "no answer from many.example for meta: ConnectTimeout"
    # Each of them for itself would take 24 seconds.
    assert 0.4 < took < 10


@pytest.mark.fault("C6")
def test_an_address_that_leads_nowhere_leaves_time_for_the_next(listen, sender, monkeypatch):
    """The first address of a name leads nowhere.

    The second gets a fair part of the time, and answers.
    """
    server = listen(always(answer()))
    port = int(server.url.rsplit(":", 1)[1].split("/")[0])
    real = socket.create_connection

    def connect(address, timeout, **more):
        if address[0] == "127.0.0.9":
            assert 0 < timeout < LIMIT * 0.6
            raise TimeoutError
        return real(address, timeout, **more)

    monkeypatch.setattr(socket, "create_connection", connect)
    named(monkeypatch, two=["127.0.0.9", "127.0.0.1"])
    assert send(sender, f"http://two.example:{port}/v1").status == 200


class Reluctant(Server):
    """A server that takes two kilobytes at a time, and time for each."""

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            while not self.over.wait(0.02) and connection.recv(2048):
                pass


def times_out(sender, url, error, **more):
    """Send in vain, until the time limit of the request."""
    text, took = fails(sender, url, timeout=0.5, **more)
    assert text == f"no answer from 127.0.0.1 for meta: {error}"
    assert 0.4 < took < 10


@pytest.mark.fault("C2")
def test_a_server_that_hardly_reads_costs_the_time_limit(opened, sender):
    """The other side takes two kilobytes of a large request at a time.

    It ends at the time limit of the request.
    """
    server = Reluctant(None)
    opened.callback(server.close)
    times_out(sender, server.url, "WriteTimeout", body=b"x" * 30_000_000)


@pytest.mark.fault("C3")
def test_chunks_that_drip_end_at_the_time_limit(listen, sender):
    """An answer comes in chunks of one byte, each before a read would time out.

    It ends at the time limit of the request.
    """

    def handle(connection, server):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not server.over.wait(0.05):
            connection.sendall(b"1\r\nx\r\n")

    times_out(sender, listen(handle).url, "ReadTimeout")


@pytest.mark.fault("C2")
def test_a_handshake_that_stalls_costs_the_time_limit(listen, sender):
    """The other side accepts the connection and does not answer the TLS handshake.

    It ends at the time limit of the request.
    """
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text, took = fails(sender, f"https://localhost:{silent.getsockname()[1]}/v1", timeout=0.4)
    assert text == "no answer from localhost for meta: ConnectTimeout"
    assert took < 10


# ---------------------------------------------------------------------- kept connections


def half_closes(connection, server):
    """Answer, and say no more, while it goes on listening."""
    connection.sendall(answer())
    connection.shutdown(socket.SHUT_WR)
    return True


@pytest.mark.fault("C5")
def test_a_kept_connection_that_is_half_closed_is_not_used_again(listen, sender):
    """The other side closes its half of a kept connection, and goes on listening.

    The next request is answered, on a new connection; on the old one it was sent in vain at most.
    """
    server = listen(half_closes)
    assert send(sender, server.url).status == 200
    assert send(sender, server.url).status == 200
    assert server.connections == 2
    assert len(server.requests) in (2, 3)


def ends_when_used_again(say=b""):
    """Answer the first request of a connection, and end it on the second."""
    served = threading.local()

    def handle(connection, server):
        if getattr(served, "once", False):
            connection.sendall(say)
            return False
        served.once = True
        connection.sendall(answer())
        return True

    return handle


@pytest.mark.fault("C5")
def test_a_kept_connection_that_ends_when_used_is_replaced_at_once(listen, sender):
    """The other side ends a kept connection in the moment it is used again.

    The same request goes out at once on a new connection.
    """
    server = listen(ends_when_used_again())
    send(sender, server.url)
    assert send(sender, server.url).status == 200
    assert (len(server.requests), server.connections) == (3, 2)
    assert server.requests[1] == server.requests[2]


@pytest.mark.fault("C5")
def test_a_request_whose_answer_has_begun_is_not_sent_again(listen, sender):
    """The other side ends a kept connection after the first bytes of an answer.

    The request is not repeated at once: it may have been dealt with.
    """
    server = listen(ends_when_used_again(b"HTTP/1.1 2"))
    send(sender, server.url)
    text, _ = fails(sender, server.url)
    assert text == "no answer from 127.0.0.1 for meta: RemoteProtocolError"
    assert (len(server.requests), server.connections) == (2, 1)


@pytest.mark.fault("C5")
def test_a_new_connection_that_ends_is_not_tried_again(listen, sender):
    """The other side ends a new connection without an answer.

    It is one failed attempt.
    """
    server = listen(lambda connection, server: False)
    text, _ = fails(sender, server.url)
    assert text == "no answer from 127.0.0.1 for meta: RemoteProtocolError"
    assert (len(server.requests), server.connections) == (1, 1)


@pytest.mark.fault("C5")
def test_a_connection_that_is_reset_is_no_answer(listen, sender):
    """The other side resets the connection in the middle of the request.

    It is one failed attempt, and the error names no secret.
    """

    def handle(connection, server):
        linger = b"\1\0\0\0\0\0\0\0"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False

    server = listen(handle)
    text, _ = fails(sender, server.url)
    assert text == "no answer from 127.0.0.1 for meta: ReadError"
    assert server.connections == 1


# ---------------------------------------------------------------------- elsewhere


@pytest.mark.fault("C18", "S15")
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_the_token_goes_nowhere_else(listen, sender, status):
    """The answer is a redirect to another server, of every kind.

    Nothing is sent there, no connection is made.
    """
    other = listen(always(answer()))
    redirect = answer(b"", f"{status} Elsewhere", f"Location: {other.url}")
    server = listen(always(redirect))
    assert send(sender, server.url).status == status
    assert len(server.requests) == 1
    assert other.requests == [] and other.connections == 0


@pytest.mark.fault("C6")
def test_a_name_without_an_address_is_no_answer(sender, monkeypatch):
    """The host's name does not exist.

    It is one failed attempt, and the error says what failed.
    """
    named(monkeypatch, graph=[])
    text, _ = fails(sender, "https://graph.example/v1")
    assert text == "no answer from graph.example for meta: ConnectError, gaierror"


@pytest.mark.fault("C6")
def test_a_name_that_is_none_is_no_answer(sender):
    """The host's name is longer than names may be.

    It is one failed attempt.
    """
    text, _ = fails(sender, f"https://{'a' * 64}.example/v1")
    assert text.endswith("for meta: ConnectError")


# ---------------------------------------------------------------------- answers


def drip(connection, server, data):
    """One byte at a time, always before a read would time out."""
    with contextlib.suppress(OSError):
        for byte in data:
            if server.over.wait(0.05):
                return
            connection.sendall(bytes([byte]))


@pytest.mark.fault("C3")
def test_an_answer_that_drips_ends_at_the_time_limit(listen, sender):
    """The body of an answer comes byte by byte, each before a read would time out.

    It ends at the time limit of the request.
    """

    def handle(connection, server):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        drip(connection, server, b"x" * 100_000)

    times_out(sender, listen(handle).url, "ReadTimeout")


@pytest.mark.fault("C3")
def test_headers_that_drip_end_at_the_time_limit(listen, sender):
    """The headers of an answer come byte by byte, each before a read would time out.

    It ends at the time limit of the request.
    """

    def handle(connection, server):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        drip(connection, server, b"x" * 100_000)

    server = listen(handle)
    _, took = fails(sender, server.url, timeout=0.5)
    assert 0.4 < took < 10


@pytest.mark.fault("C4", "S17")
def test_a_huge_answer_is_read_to_a_cap(listen, sender):
    """An answer has 300 MB.

    64 KiB of it are read, the connection is closed, and the next request works.
    """
    sent = []

    def handle(connection, server):
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n")
            for _ in range(300):
                connection.sendall(b"x" * 1_000_000)
                sent.append(1)

    server = listen(handle)
    response = send(sender, server.url)
    assert len(response.body) == 65_536
    assert len(sent) < 100
    server.handle = always(answer(b"next"))
    assert send(sender, server.url).body == b"next"


@pytest.mark.fault("C11", "S17")
def test_a_compressed_bomb_is_not_unpacked(listen, sender):
    """An answer says that it is packed.

    It is not unpacked, and none was asked for.
    """
    server = listen(always(answer(b"\x1f\x8b" + b"\0" * 100, "200 OK", "Content-Encoding: gzip")))
    assert send(sender, server.url).body.startswith(b"\x1f\x8b")
    assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.fault("C2")
def test_a_server_that_never_answers_costs_the_time_limit(listen, sender):
    """The other side takes the request and never answers.

    It ends at the time limit of the request.
    """
    server = listen(lambda connection, server: server.over.wait(LIMIT))
    text, took = fails(sender, server.url, timeout=0.2)
    assert text == "no answer from 127.0.0.1 for meta: ReadTimeout"
    assert 0.15 < took < 10

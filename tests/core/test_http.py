"""``builtin/http.py`` over real sockets on the loopback interface."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time

import pytest

from capi_plugins.builtin.http import HttpSender
from capi_plugins.destinations.base import Request
from capi_plugins.exceptions import TransportError
from tests.core.paper import Paper

PAPER = Paper("paper", {})
LIMIT = 20.0


class Server:
    """Accepts connections and has each handled by a function of the test.

    Args:
        handle: Called in a thread of its own with the connection and the request's bytes.
    """

    def __init__(self, handle):
        self.handle = handle
        self.requests = []
        self.connections = 0
        self.over = threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/events"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.connections += 1
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(LIMIT)
            while request := read_request(connection):
                self.requests.append(request)
                if self.handle(connection, self) is not True:
                    return

    def close(self):
        self.over.set()
        # Only a shutdown wakes the thread that accepts.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def read_request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(body=b"{}", status="200 OK", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def always(data):
    def handle(connection, server):
        connection.sendall(data)
        return True

    return handle


@pytest.fixture
def serve():
    servers = []

    def serve(handle):
        servers.append(Server(handle))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def sender():
    made = HttpSender()
    yield made
    made.capi_shutdown()


def send(sender, url, *, timeout=LIMIT, **fields):
    request = Request(url=url, timeout=timeout, body=b'{"data": []}', **fields)
    return sender.capi_send(request=request, destination=PAPER)


def test_a_request_goes_out_as_it_is(serve, sender):
    server = serve(always(answer(b'{"ok": 1}', "201 Created", "X-Trace: AbC")))
    response = send(sender, server.url, headers={"Content-Type": "application/json"})
    assert (response.status, response.body) == (201, b'{"ok": 1}')
    assert response.headers["x-trace"] == "AbC"
    (request,) = server.requests
    assert request.startswith(b"POST /events HTTP/1.1\r\n")
    assert b"content-type: application/json" in request.lower()
    assert request.endswith(b'\r\n\r\n{"data": []}')


def test_connections_are_kept(serve, sender):
    server = serve(always(answer()))
    for _ in range(5):
        send(sender, server.url)
    assert (len(server.requests), server.connections) == (5, 1)


def test_a_connection_the_server_closed_is_replaced(serve, sender):
    closed = threading.Event()

    def handle(connection, server):
        connection.sendall(answer())
        if len(server.requests) == 1:
            connection.shutdown(socket.SHUT_RDWR)
            closed.set()
            return False
        return True

    server = serve(handle)
    send(sender, server.url)
    assert closed.wait(LIMIT)
    assert send(sender, server.url).status == 200
    assert server.connections == 2


@pytest.mark.parametrize("status", ["400 Bad Request", "401 No", "429 Slow", "500 Oops", "503 No"])
def test_every_status_is_an_answer(serve, sender, status):
    server = serve(always(answer(b"x", status)))
    assert send(sender, server.url).status == int(status[:3])


def fails(sender, url, **more):
    began = time.monotonic()
    with pytest.raises(TransportError) as caught:
        send(sender, url, **more)
    assert url not in str(caught.value)
    return str(caught.value), time.monotonic() - began


def test_a_refused_connection_is_no_answer(sender):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text, _ = fails(sender, f"http://127.0.0.1:{port}/x?token=secret")
    assert text == "no answer from 127.0.0.1 for paper: ConnectError"


def test_a_connection_that_breaks_off_is_no_answer(serve, sender):
    server = serve(lambda connection, server: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-"))
    text, _ = fails(sender, server.url)
    assert text == "no answer from 127.0.0.1 for paper: RemoteProtocolError"


def test_half_an_answer_is_no_answer(serve, sender):
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    server = serve(lambda connection, server: connection.sendall(half))
    text, _ = fails(sender, server.url)
    assert text == "no answer from 127.0.0.1 for paper: RemoteProtocolError"


def test_threads_may_send_at_once(serve, sender):
    server = serve(always(answer()))
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(send(sender, server.url).status))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert statuses == [200] * 16


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_does_not_use_the_connections_of_its_parent(serve, sender):
    server = serve(always(answer()))
    send(sender, server.url)
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            status = 0 if send(sender, server.url).status == 200 else 2
        os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    send(sender, server.url)
    assert (len(server.requests), server.connections) == (3, 2)


def test_the_secrets_of_a_request_are_not_logged(serve, sender, caplog):
    caplog.set_level("DEBUG")
    server = serve(always(answer()))
    send(sender, server.url, headers={"Authorization": "Bearer s3cret"})
    assert "s3cret" not in caplog.text
    assert '"data"' not in caplog.text


def test_who_sends_after_the_end_keeps_no_connection(serve, sender):
    ended = threading.Event()

    def handle(connection, server):
        connection.sendall(answer())
        connection.settimeout(LIMIT)
        if not connection.recv(1):
            ended.set()

    server = serve(handle)
    sender.capi_shutdown()
    assert send(sender, server.url).status == 200
    assert ended.wait(LIMIT)


def test_a_request_that_the_end_cuts_off_is_not_sent_once_more(serve, sender):
    asked, ended = threading.Event(), threading.Event()

    def handle(connection, server):
        if len(server.requests) == 1:
            connection.sendall(answer())
            return True
        asked.set()
        ended.wait(LIMIT)
        return False

    server = serve(handle)
    send(sender, server.url)
    failures = []

    def ask():
        try:
            send(sender, server.url)
        except TransportError as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert asked.wait(LIMIT)
    sender.capi_shutdown()
    ended.set()
    thread.join(LIMIT)
    assert (len(failures), len(server.requests), server.connections) == (1, 2, 1)

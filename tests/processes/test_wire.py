"""Connections that break, drip, lead elsewhere or cannot be trusted; real sockets, loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time

import pytest

from capi_plugins.builtin.http import HttpSender
from capi_plugins.destinations.base import Request
from capi_plugins.exceptions import TransportError
from tests.core.paper import Paper
from tests.core.test_http import Server, always, answer
from tests.processes.wire import LIMIT, Authority, Proxy, named, nobody_accepts

META = Paper("meta", {})
SECRET = b'{"access_token": "s3cret"}'


@pytest.fixture(autouse=True)
def no_proxy_from_outside(monkeypatch):
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT"):
            monkeypatch.delenv(name)


@pytest.fixture
def opened():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def serve(opened):
    def serve(handle):
        server = Server(handle)
        opened.callback(server.close)
        return server

    return serve


@pytest.fixture
def sender():
    made = HttpSender()
    yield made
    made.capi_shutdown()


def send(sender, url, *, timeout=LIMIT, body=SECRET):
    return sender.capi_send(request=Request(url=url, timeout=timeout, body=body), destination=META)


def fails(sender, url, **more):
    """Send in vain; return what the error says, and the seconds it took."""
    began = time.monotonic()
    with pytest.raises(TransportError) as caught:
        send(sender, url, **more)
    assert caught.value.__cause__ is None
    assert "s3cret" not in str(caught.value)
    assert "/v1" not in str(caught.value)
    return str(caught.value), time.monotonic() - began


# ---------------------------------------------------------------------- the time limit


def test_all_addresses_of_a_host_share_the_time_limit(sender, monkeypatch):
    named(monkeypatch, many=[f"127.0.0.{last}" for last in range(1, 7)])
    with nobody_accepts() as port:
        text, took = fails(sender, f"http://many.example:{port}/v1", timeout=0.6)
    assert text == "no answer from many.example for meta: ConnectTimeout"
    assert 0.4 < took < 10


def test_an_address_that_leads_nowhere_leaves_time_for_the_next(serve, sender, monkeypatch):
    server = serve(always(answer()))
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


def test_a_server_that_hardly_reads_costs_the_time_limit(opened, sender):
    server = Reluctant(None)
    opened.callback(server.close)
    text, took = fails(sender, server.url, timeout=0.5, body=b"x" * 30_000_000)
    assert text == "no answer from 127.0.0.1 for meta: WriteTimeout"
    assert 0.4 < took < 10


def test_chunks_that_drip_end_at_the_time_limit(serve, sender):
    def handle(connection, server):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not server.over.wait(0.05):
            connection.sendall(b"1\r\nx\r\n")

    text, took = fails(sender, serve(handle).url, timeout=0.5)
    assert text == "no answer from 127.0.0.1 for meta: ReadTimeout"
    assert 0.4 < took < 10


def test_a_handshake_that_stalls_costs_the_time_limit(serve, sender):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text, took = fails(sender, f"https://localhost:{silent.getsockname()[1]}/v1", timeout=0.4)
    assert text == "no answer from localhost for meta: ConnectTimeout"
    assert took < 10


# ---------------------------------------------------------------------- kept connections


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


def test_a_kept_connection_that_ends_when_used_is_replaced_at_once(serve, sender):
    server = serve(ends_when_used_again())
    send(sender, server.url)
    assert send(sender, server.url).status == 200
    assert (len(server.requests), server.connections) == (3, 2)
    assert server.requests[1] == server.requests[2]


def test_a_request_whose_answer_has_begun_is_not_sent_again(serve, sender):
    server = serve(ends_when_used_again(b"HTTP/1.1 2"))
    send(sender, server.url)
    text, _ = fails(sender, server.url)
    assert text == "no answer from 127.0.0.1 for meta: RemoteProtocolError"
    assert (len(server.requests), server.connections) == (2, 1)


def test_a_new_connection_that_ends_is_not_tried_again(serve, sender):
    server = serve(lambda connection, server: False)
    text, _ = fails(sender, server.url)
    assert text == "no answer from 127.0.0.1 for meta: RemoteProtocolError"
    assert (len(server.requests), server.connections) == (1, 1)


def test_a_connection_that_is_reset_is_no_answer(serve, sender):
    def handle(connection, server):
        linger = b"\1\0\0\0\0\0\0\0"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False

    server = serve(handle)
    text, _ = fails(sender, server.url)
    assert text == "no answer from 127.0.0.1 for meta: ReadError"
    assert server.connections == 1


# ---------------------------------------------------------------------- elsewhere


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_the_token_goes_nowhere_else(serve, sender, status):
    other = serve(always(answer()))
    redirect = answer(b"", f"{status} Elsewhere", f"Location: {other.url}")
    server = serve(always(redirect))
    assert send(sender, server.url).status == status
    assert len(server.requests) == 1
    assert other.requests == [] and other.connections == 0


def test_a_name_without_an_address_is_no_answer(sender, monkeypatch):
    named(monkeypatch, graph=[])
    text, _ = fails(sender, "https://graph.example/v1")
    assert text == "no answer from graph.example for meta: ConnectError, gaierror"


def test_a_name_that_is_none_is_no_answer(sender):
    text, _ = fails(sender, f"https://{'a' * 64}.example/v1")
    assert text.endswith("for meta: ConnectError")


# ---------------------------------------------------------------------- TLS


class Secure(Server):
    """A server that shows a certificate."""

    def __init__(self, handle, context):
        self.context = context
        super().__init__(handle)
        self.url = self.url.replace("http://127.0.0.1", "https://localhost")

    def serve(self, connection):
        with contextlib.suppress(OSError):
            connection = self.context.wrap_socket(connection, server_side=True)
        if isinstance(connection, ssl.SSLSocket):
            super().serve(connection)
        else:
            connection.close()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def serve_tls(opened):
    def serve_tls(context):
        server = Secure(always(answer()), context)
        opened.callback(server.close)
        return server

    return serve_tls


def test_the_environment_names_an_authority_to_trust(authority, serve_tls, sender, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    server = serve_tls(authority.context())
    assert send(sender, server.url).status == 200
    assert send(sender, server.url).status == 200
    assert server.connections == 1


@pytest.mark.parametrize("wrong", ["nobody", "host", "expired"])
def test_what_a_certificate_does_not_prove_gets_nothing(
    authority, serve_tls, sender, monkeypatch, wrong
):
    if wrong != "nobody":
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    context = authority.context(
        host="other.example" if wrong == "host" else "localhost",
        ends="20210101000000Z" if wrong == "expired" else "20991231235959Z",
    )
    server = serve_tls(context)
    text, _ = fails(sender, server.url)
    assert text == "no answer from localhost for meta: ConnectError, SSLCertVerificationError"
    assert server.requests == []


def test_a_server_that_speaks_no_tls_gets_nothing(serve, sender):
    server = serve(always(answer()))
    text, _ = fails(
        sender, server.url.replace("http://127.0.0.1", "https://localhost"), timeout=0.5
    )
    assert text.startswith("no answer from localhost for meta: Connect")
    assert server.requests == []


# ---------------------------------------------------------------------- proxies


@pytest.fixture
def through(opened, monkeypatch):
    def through(variable, status=None):
        proxy = Proxy(status)
        opened.callback(proxy.close)
        monkeypatch.setenv(variable, proxy.url.replace("//", "//us:pass@"))
        return proxy

    return through


def test_https_goes_through_a_tunnel_and_the_proxy_sees_no_token(
    authority, serve_tls, sender, through, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    server = serve_tls(authority.context())
    proxy = through("HTTPS_PROXY")
    for _ in range(2):
        assert send(sender, server.url).status == 200
    [asked] = proxy.asked
    assert asked.startswith("CONNECT localhost:")
    assert "Proxy-Authorization: Basic dXM6cGFzcw==" in asked
    assert len(server.requests) == 2


def test_http_goes_through_a_proxy(serve, sender, through):
    server = serve(always(answer()))
    proxy = through("HTTP_PROXY")
    assert send(sender, server.url).status == 200
    assert proxy.asked[0].startswith(f"POST {server.url} ")


def test_hosts_are_exempt_from_the_proxy(serve, sender, through, monkeypatch):
    server = serve(always(answer()))
    proxy = through("ALL_PROXY")
    monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
    assert send(sender, server.url).status == 200
    assert proxy.asked == []


def test_a_proxy_that_refuses_is_no_answer(sender, through):
    through("HTTPS_PROXY", status="407 Proxy Authentication Required")
    text, _ = fails(sender, "https://graph.example/v1")
    assert text == "no answer from graph.example for meta: ProxyError"


def test_a_proxy_that_is_gone_is_no_answer(sender, through):
    through("HTTPS_PROXY").close()
    text, _ = fails(sender, "https://graph.example/v1")
    assert text == "no answer from graph.example for meta: ConnectError"


def test_a_proxy_may_be_named_without_a_scheme(serve, sender, through, monkeypatch):
    proxy = through("HTTP_PROXY")
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
    assert send(sender, serve(always(answer())).url).status == 200
    assert len(proxy.asked) == 1

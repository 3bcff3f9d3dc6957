"""Certificates that prove nothing, and proxies that are named, refuse or are gone."""

from __future__ import annotations

import contextlib
import ssl
import warnings

import pytest

from tests.core.test_http import Server, always, answer
from tests.faults.wire import Authority, Proxy, fails, send

pytestmark = pytest.mark.usefixtures("no_proxy_from_outside")

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


@pytest.mark.fault("C7", "S16")
def test_the_environment_names_an_authority_to_trust(authority, serve_tls, sender, monkeypatch):
    """The certificate is signed by an authority that SSL_CERT_FILE names.

    The request arrives, and the connection is kept.
    """
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    server = serve_tls(authority.context())
    assert send(sender, server.url).status == 200
    assert send(sender, server.url).status == 200
    assert server.connections == 1


@pytest.mark.fault("C7", "S16")
@pytest.mark.parametrize("wrong", ["nobody", "host", "expired", "not yet"])
def test_what_a_certificate_does_not_prove_gets_nothing(
    authority, serve_tls, sender, monkeypatch, wrong
):
    """The certificate is signed by nobody, for another host, has expired, or is not valid yet.

    Nothing is sent, and the error says that the certificate was refused.
    """
    if wrong != "nobody":
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    context = authority.context(
        host="other.example" if wrong == "host" else "localhost",
        begins="20800101000000Z" if wrong == "not yet" else "20200101000000Z",
        ends="20210101000000Z" if wrong == "expired" else "20991231235959Z",
    )
    server = serve_tls(context)
    text, _ = fails(sender, server.url)
    assert text == "no answer from localhost for meta: ConnectError, SSLCertVerificationError"
    assert server.requests == []


@pytest.mark.fault("C7", "S16")
def test_a_server_that_only_speaks_old_tls_gets_nothing(authority, serve_tls, sender, monkeypatch):
    """The other side speaks TLS 1.0 and 1.1 alone.

    Nothing is sent, and the error says that TLS failed.
    """
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    context = authority.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = serve_tls(context)
    text, _ = fails(sender, server.url)
    assert text == "no answer from localhost for meta: ConnectError, SSLError"
    assert server.requests == []


@pytest.mark.fault("C7", "S16")
def test_a_server_that_speaks_no_tls_gets_nothing(listen, sender):
    """The other side speaks no TLS where it is expected.

    Nothing is sent in clear.
    """
    server = listen(always(answer()))
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


@pytest.mark.fault("C8")
def test_https_goes_through_a_tunnel_and_the_proxy_sees_no_token(
    authority, serve_tls, sender, through, monkeypatch
):
    """The environment names a proxy with a password for HTTPS.

    The proxy is asked for a tunnel once, and sees nothing of what goes through.
    """
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    server = serve_tls(authority.context())
    proxy = through("HTTPS_PROXY")
    for _ in range(2):
        assert send(sender, server.url).status == 200
    [asked] = proxy.asked
    assert asked.startswith("CONNECT localhost:")
    assert "Proxy-Authorization: Basic dXM6cGFzcw==" in asked
    assert len(server.requests) == 2


@pytest.mark.fault("C8")
def test_http_goes_through_a_proxy(listen, sender, through):
    """The environment names a proxy for HTTP.

    The request goes there.
    """
    server = listen(always(answer()))
    proxy = through("HTTP_PROXY")
    assert send(sender, server.url).status == 200
    assert proxy.asked[0].startswith(f"POST {server.url} ")


@pytest.mark.fault("C8")
def test_hosts_are_exempt_from_the_proxy(listen, sender, through, monkeypatch):
    """The environment names a proxy for everything but some hosts.

    Requests to those go straight there.
    """
    server = listen(always(answer()))
    proxy = through("ALL_PROXY")
    monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
    assert send(sender, server.url).status == 200
    assert proxy.asked == []


@pytest.mark.fault("C8")
def test_a_proxy_that_refuses_is_no_answer(sender, through):
    """The proxy wants a password that it was not given.

    It is one failed attempt, and the error says that it was the proxy.
    """
    through("HTTPS_PROXY", status="407 Proxy Authentication Required")
    text, _ = fails(sender, "https://graph.example/v1")
    assert text == "no answer from graph.example for meta: ProxyError"


@pytest.mark.fault("C8")
def test_a_proxy_that_is_gone_is_no_answer(sender, through):
    """The proxy does not listen any more.

    It is one failed attempt; nothing goes around the proxy.
    """
    through("HTTPS_PROXY").close()
    text, _ = fails(sender, "https://graph.example/v1")
    assert text == "no answer from graph.example for meta: ConnectError"


@pytest.mark.fault("C8")
def test_a_proxy_may_be_named_without_a_scheme(listen, sender, through, monkeypatch):
    """The environment names a proxy by host and port alone.

    The request goes there.
    """
    proxy = through("HTTP_PROXY")
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removeprefix("http://"))
    assert send(sender, listen(always(answer())).url).status == 200
    assert len(proxy.asked) == 1

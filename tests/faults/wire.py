"""The other side of the wire: certificates, a proxy, and addresses that lead nowhere."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from capi_plugins.destinations.base import Request
from capi_plugins.exceptions import TransportError
from tests.core.paper import Paper

LIMIT = 20.0
META = Paper("meta", {})
SECRET = b'{"access_token": "s3cret"}'
CONFIGURATION = """
[ca]
default_ca = ours
[ours]
database = index
serial = serial
new_certs_dir = .
private_key = ca.key
certificate = ca.pem
default_md = sha256
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


class Authority:
    """A certificate authority of the test's own.

    Attributes:
        certificate: Path of what clients may trust.
    """

    def __init__(self, folder):
        if shutil.which("openssl") is None:
            pytest.skip("no openssl to make certificates with")
        self.folder = folder
        self.certificate = folder / "ca.pem"
        (folder / "ca.cnf").write_text(CONFIGURATION)
        (folder / "index").touch()
        (folder / "serial").write_text("01")
        self.run("req", "-x509", *self.key("ca"), "-out", "ca.pem", "-subj", "/CN=ca", "-days", "9")

    def key(self, name):
        curve = "ec_paramgen_curve:P-256"
        return "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-keyout", f"{name}.key"

    def run(self, *arguments):
        subprocess.run(
            ["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=60
        )

    def context(self, host="localhost", begins="20200101000000Z", ends="20991231235959Z"):
        """What a server needs to show a certificate.

        Args:
            host: The name in it.
            begins: When it becomes valid.
            ends: When it expires.
        """
        self.run(
            *("req", *self.key("server"), "-out", "server.csr", "-subj", f"/CN={host}"),
            *("-addext", f"subjectAltName=DNS:{host}"),
        )
        self.run(
            *("ca", "-batch", "-config", "ca.cnf", "-in", "server.csr", "-out", "server.pem"),
            *("-startdate", begins, "-enddate", ends),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return context


class Proxy:
    """An HTTP proxy.

    Args:
        status: Answer this instead of passing anything on.

    Attributes:
        url: Where it listens.
        asked: The first line and the headers of every request.
    """

    def __init__(self, status=None):
        self.status = status
        self.asked = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(LIMIT)
            data = b""
            while b"\r\n\r\n" not in data:
                part = connection.recv(65536)
                if not part:
                    return
                data += part
            head = data.partition(b"\r\n\r\n")[0].decode()
            self.asked.append(head)
            if self.status:
                connection.sendall(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\n\r\n".encode())
                return
            method, target, _ = head.split("\r\n")[0].split(" ")
            place = target if method == "CONNECT" else target.split("/")[2]
            host, _, port = place.rpartition(":")
            with socket.create_connection((host, int(port)), LIMIT) as beyond:
                if method == "CONNECT":
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    beyond.sendall(data)
                back = threading.Thread(target=pass_on, args=(beyond, connection), daemon=True)
                back.start()
                pass_on(connection, beyond)
                back.join(LIMIT)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def pass_on(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def nobody_accepts():
    """A port, at every loopback address, at which connections are never made nor refused."""
    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("0.0.0.0", 0), backlog=0))
        port = deaf.getsockname()[1]
        while True:
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.3)
            try:
                waiting.connect(("127.0.0.1", port))
            except TimeoutError:
                break
        yield port


def named(monkeypatch, **names):
    """Give host names addresses, as a DNS would.

    Args:
        names: For each name its addresses; for one without a dot in it, ``.example`` is added.
    """
    real = socket.getaddrinfo
    known = {f"{name}.example": addresses for name, addresses in names.items()}

    def getaddrinfo(host, port, *arguments, **more):
        if isinstance(host, bytes):
            host = host.decode()
        if host not in known:
            return real(host, port, *arguments, **more)
        if not known[host]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


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

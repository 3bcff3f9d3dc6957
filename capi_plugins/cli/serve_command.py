"""``capi serve``: a server for Segment's libraries and for webhooks, where no host app is one."""

from __future__ import annotations

import importlib.util
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from capi_plugins import Client
from capi_plugins.cli.doors import current_door
from capi_plugins.receiving import TRACKING, WEBHOOKS
from capi_plugins.wsgi import Application

INSTALL = "capi serve needs waitress: pip install 'capi-plugins[serve]'"
MOST_BYTES = 2_000_000
"""Longest body that is read at all; what a source takes is less."""
REQUEST_SECONDS = 20
"""Longest time a request may take to arrive, and a connection may be idle."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8901, show_default=True, help="0: a free one."
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Requests that are answered at once.",
)
def serve(host: str, port: int, threads: int) -> None:
    """Take what Segment's libraries and webhooks send, and deliver it.

    For hosts that are neither Django nor Flask. Each of these mounts the same paths in itself.
    SIGTERM or Ctrl-C: requests under way are answered, then what can be sent is sent.
    """
    door = current_door()
    client = door.client()
    if not client.sources:
        raise click.UsageError(
            f"{door.where}: nobody may send here; set SEGMENT.WRITE_KEYS or SEGMENT.WEBHOOKS"
        )
    if importlib.util.find_spec("waitress") is None:
        raise click.ClickException(INSTALL)
    server = _make_server(Application(client), host, port, threads)
    _tell(client, server.effective_host, server.effective_port)
    # What an earlier run left behind.
    client.delivering.begin(client.destinations)
    with _sigterm_ends():
        server.run()
        server.close()
    left = client.close()
    click.echo(f"Stopped, {left.waiting} waiting.", err=True)


def _make_server(application: Application, host: str, port: int, threads: int) -> Any:
    from waitress.channel import HTTPChannel  # noqa: PLC0415 - the extra may be missing
    from waitress.server import create_server  # noqa: PLC0415

    class Channel(HTTPChannel):  # type: ignore[misc]
        """A connection whose time runs from a request's first byte, and not from its last one."""

        last_activity: float

        def received(self, data: bytes) -> bool:
            if self.request is None:
                self._began = self.last_activity
            else:
                self.last_activity = self._began
            return bool(super().received(data))

    sockets: dict[int, Any] = {}
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    try:
        server = create_server(
            application,
            map=sockets,
            host=host,
            port=port,
            threads=threads,
            ident=None,
            connection_limit=500,
            channel_timeout=REQUEST_SECONDS,
            cleanup_interval=1,
            max_request_body_size=MOST_BYTES,
            # TRUSTED_PROXIES says which of these headers count.
            clear_untrusted_proxy_headers=False,
        )
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from None
    for listening in sockets.values():
        if hasattr(listening, "channel_class"):
            listening.channel_class = Channel
    return server


def _tell(client: Client, host: str, port: int) -> None:
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    for name in client.sources:
        place = TRACKING if name == "tracking" else f"{WEBHOOKS}/{name}"
        click.echo(f"{name}: {url}/{place}", err=True)
    if not client.delivering.outbox.durable:
        click.echo(
            "Events wait in memory and end with this process: "
            "DELIVERY.OUTBOX 'sqlite:///path' keeps them.",
            err=True,
        )


@contextmanager
def _sigterm_ends() -> Iterator[None]:
    """Have SIGTERM end the server as Ctrl-C does."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)

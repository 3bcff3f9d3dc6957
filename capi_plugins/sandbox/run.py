"""Runs a sandbox in the foreground: the ``capi sandbox`` command."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterable, Mapping
from types import FrameType
from typing import TextIO

from capi_plugins.sandbox.case import Mode
from capi_plugins.sandbox.local import Sandbox

WELCOME = """\
Sandbox ({mode}) is listening.

  Page      {url}/
  Settings  CAPI = {{
                "DESTINATIONS": {{
                    "meta": {{
                        "DATASET_ID": "{dataset}",
                        "ACCESS_TOKEN": "{token}",
                        "API_URL": "{url}",
                    }},
                }},
                "CONSENT": {{"DEFAULT": "granted"}},
            }}

Stop with Ctrl-C.
"""


def serve(
    host: str = "127.0.0.1",
    port: int = 8900,
    mode: Mode = "strict",
    *,
    datasets: Mapping[str, str] | None = None,
    app_secret: str | None = None,
    allowed_hosts: Iterable[str] = (),
    output: TextIO | None = None,
) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        host: Address to listen on.
        port: TCP port; 0 picks a free one.
        mode: ``strict`` or ``meta``.
        datasets: Datasets and their tokens; None takes any.
        app_secret: Checks ``appsecret_proof`` when given.
        allowed_hosts: Further host names of the page.
        output: Where the welcome is printed; standard output by default.

    Returns:
        The exit status: 0, or 1 when the port is taken.
    """
    out = output or sys.stdout
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    sandbox = Sandbox(port, mode, datasets, app_secret, host=host, allowed_hosts=allowed_hosts)
    try:
        sandbox.start()
    except OSError as error:
        out.write(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.\n")
        return 1
    previous = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        dataset = next(iter(datasets)) if datasets else "1234567890"
        token = "its token" if datasets else "sandbox-token"
        out.write(WELCOME.format(mode=mode, url=sandbox.url, dataset=dataset, token=token))
        out.flush()
        stop.wait()
    finally:
        sandbox.stop()
        for number, handler in previous.items():
            signal.signal(number, handler)
    out.write(f"Stopped after {len(sandbox.requests)} requests.\n")
    return 0

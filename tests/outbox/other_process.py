"""Another process that uses an outbox, told by a pipe what to do and when."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from capi_plugins.outbox.base import Delivery

ROOT = Path(__file__).parents[2]


def delivery(event_id: str, destination: str = "paper", **fields: Any) -> Delivery:
    more = {"payload": json.dumps({"id": event_id}).encode(), **fields}
    return Delivery(destination=destination, event_name="Purchase", event_id=event_id, **more)


def ids(deliveries: Any) -> list[str]:
    return [item.event_id for item in deliveries]


class OtherProcess:
    """A Python process with ``outbox``, ``put``, ``take`` and ``sqlite3`` at hand."""

    def __init__(self, path: Path, **environ: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", __file__, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
            text=True,
        )
        self.pid = self._process.pid

    def tell(self, code: str) -> None:
        """Have it evaluate an expression."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """Wait for the value."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the process ended with {self._process.wait()}"
        return json.loads(line)

    def ask(self, code: str) -> Any:
        """Have it evaluate an expression and wait for the value."""
        self.tell(code)
        return self.hear()

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self.end()

    def end(self) -> int:
        """Close its input, after which it closes the outbox and leaves."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        code = self._process.wait(30)
        self._process.stdout.close()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
        self.end()


def _main() -> None:
    import sqlite3
    import time

    from capi_plugins.outbox.sqlite import SqliteOutbox

    path = sys.argv[1]
    outbox = SqliteOutbox(path)
    held: list[Delivery] = []

    def put(*event_ids: str, **fields: Any) -> Any:
        start = time.monotonic()
        stored = outbox.put([delivery(event_id, **fields) for event_id in event_ids])
        return [time.monotonic() - start, ids(stored.duplicates), ids(stored.refused)]

    def take(destination: str = "paper", limit: int = 100) -> list[str]:
        held[:] = outbox.take(destination, limit=limit, max_bytes=10**6, now=time.time())
        return ids(held)

    def send_all(total: int) -> list[Any]:
        """Send in a race with others, who put as well; tell what was sent and who else sent."""
        sent: list[str] = []
        together = 0
        mark = Path(path).with_name("sending")
        for number in range(total):
            put(f"{os.getpid()}-{number}")
            if not take(limit=3):
                continue
            try:
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                together += 1
            sent += ids(held)
            mark.unlink(missing_ok=True)
            outbox.delivered(held)
        return [sent, together]

    names = {
        "send_all": send_all,
        "outbox": outbox,
        "path": path,
        "held": held,
        "put": put,
        "take": take,
        "delivery": delivery,
        "sqlite3": sqlite3,
        "os": os,
    }
    for line in sys.stdin:
        value = eval(json.loads(line), names)
        sys.stdout.write(json.dumps(value, default=repr) + "\n")
        sys.stdout.flush()
    outbox.close()


if __name__ == "__main__":
    _main()

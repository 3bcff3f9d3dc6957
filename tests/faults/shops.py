"""Shops without the web: processes that capture events, and say which of them are safe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from tests.outbox.other_process import ROOT

PROGRAM = ROOT / "tests" / "faults" / "shop_process.py"
PATIENT = {"MAX_ATTEMPTS": 1000, "TIMEOUT": 3}
"""How such a shop delivers."""


class Shop:
    """A process of ``shop_process.py``, what it promised kept in a file that outlives it."""

    def __init__(self, folder, wanted, name, per_second=40.0, **environ):
        self._out = folder / f"{name}.ids"
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), json.dumps(wanted), name, str(per_second)],
                stdin=subprocess.PIPE,
                stdout=out,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
            )

    def promised(self):
        return self._out.read_text().splitlines()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        self.process.communicate(b"\n", timeout=30)
        return self.process.returncode

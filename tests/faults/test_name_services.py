"""A name service that says nothing, says that there is no such name, and comes back."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading

import pytest

from tests.faults.serving import HOSTS
from tests.faults.shop_settings import settings
from tests.faults.small_shop import accepted, until
from tests.outbox.other_process import ROOT

NO_SUCH_NAME = 3
ADDRESS = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton("127.0.0.1")


class NameService:
    """Answers every question for an address with this machine's own.

    Attributes:
        says: ``nothing``, ``no such name`` or ``the address``.
        asked: How many questions came.
    """

    def __init__(self, says):
        self.says = says
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            self.address = f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.5"
            with contextlib.suppress(OSError):
                self._socket.bind((self.address, 53))
                break
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                question, whom = self._socket.recvfrom(4096)
                self.asked += 1
                if self.says != "nothing":
                    self._socket.sendto(self._answer(question), whom)

    def _answer(self, question):
        end = question.index(b"\0", 12) + 5
        (kind,) = struct.unpack(">H", question[end - 4 : end - 2])
        found = self.says == "the address" and kind == 1
        refused = NO_SUCH_NAME if self.says == "no such name" else 0
        counts = struct.pack(">HHHHH", 0x8180 | refused, 1, int(found), 0, 0)
        return question[:2] + counts + question[12:end] + (ADDRESS if found else b"")

    def close(self):
        self._socket.close()


@pytest.fixture(params=["nothing", "no such name"])
def names(request):
    may = ["unshare", "--mount", "true"]
    if os.geteuid() != 0 or subprocess.run(may, check=False, capture_output=True).returncode:
        pytest.skip("only root may give a program another /etc/resolv.conf")
    service = NameService(request.param)
    yield service
    service.close()


@pytest.mark.fault("C6")
def test_events_wait_for_a_name_service_that_comes_back(names, sandbox, box, tmp_path):
    """The name service says nothing, or that the name does not exist, while events come, and knows
    it again after a while.

    Capturing waits for none of it. The events arrive once, by the process that could not find the
    name before, and it ends in time.
    """
    resolv = tmp_path / "resolv.conf"
    resolv.write_text(f"nameserver {names.address}\noptions timeout:1 attempts:1\n")
    hosts = tmp_path / "hosts"
    hosts.touch()
    wanted = settings(sandbox.url.replace("127.0.0.1", "localhost"), box, MAX_ATTEMPTS=1)
    process = subprocess.Popen(
        ["unshare", "--mount", sys.executable, str(HOSTS / "asking.py"), json.dumps(wanted),
         str(resolv), str(hosts)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        waits = []
        for number in range(10):
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            waits.append(float(process.stdout.readline()))
        until(lambda: names.asked >= 2)
        assert sorted(waits)[5] < 0.1
        assert not sandbox.requests
        names.says = "the address"
        until(lambda: len(accepted(sandbox)) == 10)
        assert len(sandbox.events) == 10
        out, _ = process.communicate(timeout=30)
        assert float(out) < 5
    finally:
        process.kill()
        process.communicate()

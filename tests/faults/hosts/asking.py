"""A shop whose name service falls silent, and comes back: in a mount namespace of its own.

    python asking.py SETTINGS RESOLV_CONF HOSTS

It captures an event with each line on standard input, and says how long that took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from capi_plugins import configure
from tests.faults.shop_process import event


def main() -> None:
    # Nobody else sees this: the program was started by unshare.
    for file, place in zip(sys.argv[2:], ("/etc/resolv.conf", "/etc/hosts"), strict=True):
        subprocess.run(["mount", "--bind", file, place], check=True)
    client = configure(json.loads(sys.argv[1]))
    for line in sys.stdin:
        began = time.monotonic()
        client.capture(event(line.strip()))
        print(time.monotonic() - began, flush=True)  # noqa: T201
    began = time.monotonic()
    client.close()
    print(time.monotonic() - began, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

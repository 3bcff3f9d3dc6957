"""How many instructions one event costs, beside Meta's own SDK: the same figure on a busy machine.

    pip install -e . facebook_business        # and valgrind
    python benchmarks/instructions.py

The work is that of ``bench_payload.py``. Each part runs under cachegrind once and five times; the
difference is what the events cost, without the start of the interpreter. valgrind knows none of a
processor's own instructions for SHA-256, so hashing weighs more here than it does in time.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

from bench_payload import LIMIT, OURS, our_runs, their_runs

EVENTS = range(50)
ONCE, OFTEN = 1, 5
NOW = 1_700_000_000
_COUNTED = re.compile(r"I +refs: +([\d,]+)")


OUR_PARTS = (LIMIT, OURS, f"{OURS}, event made too")


def run(name: str, times: int) -> None:
    """Do the work of one part: what runs under valgrind."""
    runs = (our_runs if name in OUR_PARTS else their_runs)(EVENTS, NOW)
    for _ in range(times):
        runs[name]()


def counted(name: str, times: int) -> int:
    """Return the instructions of a process that does one part so often."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = subprocess.run(
        [*command, sys.executable, __file__, name, str(times)],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    match = _COUNTED.search(done.stderr)
    assert match, done.stderr
    return int(match[1].replace(",", ""))


def per_event(name: str) -> float:
    return (counted(name, OFTEN) - counted(name, ONCE)) / (OFTEN - ONCE) / len(EVENTS)


def main() -> None:
    names = (*OUR_PARTS, *their_runs(range(1), NOW))
    costs = {name: per_event(name) for name in names}
    print(f"{'':36}{'instructions':>14}{'against ours':>14}")
    for name, cost in costs.items():
        print(f"{name:36}{cost:14,.0f}{cost / costs[OURS]:13.2f}x")


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2])) if sys.argv[1:] else main()

"""How fast events get from ``track()`` to an endpoint that accepts them, beside other libraries.

    python benchmarks/bench_delivery.py             about two minutes
    python benchmarks/bench_delivery.py --quick     half a minute, rougher
    python benchmarks/bench_delivery.py --gil       what a flush does to the requests beside it
    python benchmarks/bench_delivery.py --million   a million events for an endpoint that is dead

Every run is a process of its own, so CPU time and memory are its own too; the endpoint is another
one, on this machine, and answers after 0, 50 or 200 ms. Senders take turns, so what else the
machine does hits all alike; figures are medians, and the ratios are what counts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

LATENCIES = (0.0, 0.05, 0.2)
LONGEST = 110.0
HERE = Path(__file__).parent
COMPARED = "segment, batch 100"


@contextlib.contextmanager
def endpoint(latency: float):
    process = subprocess.Popen(
        [sys.executable, str(HERE / "stub.py"), str(latency)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.communicate()


def run(name: str, url: str, events: int) -> dict[str, float]:
    """In a process of its own: offer events, and wait until all of them are accepted."""
    from senders import SENDERS

    sender = SENDERS[name][0](url)
    sender.send(0)
    sender.finish()  # connections are open and modules imported
    before = accepted(url)
    cpu, started = time.process_time(), time.perf_counter()
    for number in range(1, events + 1):
        sender.send(number)
    offered = time.perf_counter()
    sender.finish()
    ended, cpu = time.perf_counter(), time.process_time() - cpu
    arrived = accepted(url) - before
    assert arrived == events, f"{name}: {arrived} of {events} arrived"
    sender.close()
    return {
        "rate": events / (ended - started),
        "enqueue": (offered - started) / events * 1e6,
        "cpu": cpu / events * 100_000,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def accepted(url: str) -> int:
    with urllib.request.urlopen(f"{url}/count") as answer:
        return int(answer.read())


def measured(*arguments: object) -> dict[str, float]:
    command = [sys.executable, str(HERE / "bench_delivery.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def compare(rounds: int, share: float) -> None:
    from senders import SENDERS

    results: dict[tuple[str, float], list[dict[str, float]]] = {}
    with contextlib.ExitStack() as stack:
        urls = {latency: stack.enter_context(endpoint(latency)) for latency in LATENCIES}
        began = time.monotonic()
        for done in range(rounds):
            if done and time.monotonic() - began > LONGEST * done / (done + 1):
                break  # another round would take too long
            for place, latency in enumerate(LATENCIES):
                for name, (_, counts) in SENDERS.items():
                    events = max(1, int(counts[place] * share))
                    result = measured("--run", name, urls[latency], events)
                    results.setdefault((name, latency), []).append(result)

    def median(name: str, latency: float, key: str) -> float:
        return statistics.median(result[key] for result in results[name, latency])

    print(f"{'events per second, from track() to accepted':44}", end="")
    print("".join(f"{latency * 1000:9.0f} ms   " for latency in LATENCIES))
    for name in SENDERS:
        row = f"{name:44}"
        for latency in LATENCIES:
            rate = median(name, latency, "rate")
            row += f"{rate:8,.0f}{rate / median(COMPARED, latency, 'rate'):5.1f}x"
        print(row)
    print(f"x: against {COMPARED}\n")
    print(f"{'at 0 ms':30}{'us in track()':>15}{'CPU s per 100,000':>20}{'peak MB':>10}")
    for name in SENDERS:
        shown = [median(name, 0.0, key) for key in ("enqueue", "cpu", "memory")]
        if name.startswith("facebook_business"):
            shown[0] = float("nan")  # it sends in the call
        print(f"{name:30}{shown[0]:15.0f}{shown[1]:20.1f}{shown[2]:10.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--gil", action="store_true")
    parser.add_argument("--run", nargs=3, metavar=("SENDER", "URL", "EVENTS"))
    options = parser.parse_args()
    if options.run:
        name, url, events = options.run
        print(json.dumps(run(name, url, int(events))))
    elif options.million:
        from million import fill

        fill(10_000 if options.quick else 1_000_000)
    elif options.gil:
        from beside_a_flush import probe

        with endpoint(0.0) as url:
            probe(url, rounds=5 if options.quick else 30)
    else:
        compare(1 if options.quick else 3, 0.4 if options.quick else 1.0)


if __name__ == "__main__":
    main()

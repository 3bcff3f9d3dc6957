"""A program that forks: parent and children capture events, and half of the children are killed.

    python forking.py SETTINGS KIND

KIND is ``os.fork``, or a start method of multiprocessing.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import signal
import sys
import time

from capi_plugins import Event, configure

CHILDREN, EVENTS = 4, 5


@functools.cache
def client():
    return configure(json.loads(sys.argv[1]))


def work(name):
    for number in range(EVENTS):
        client().capture(
            Event.from_dict(
                {
                    "event_name": "Search",
                    "event_id": f"{name}-{number}",
                    "action_source": "website",
                    "event_source_url": "https://shop.example/",
                    "user_data": {"email": "ada@example.com", "client_user_agent": "curl"},
                    "custom_data": {"search_string": f"{name}-{number}"},
                },
                now=time.time(),
            )
        )
    if name in ("child1", "child3"):
        os.kill(os.getpid(), signal.SIGKILL)


def main(kind, names):
    work("before")
    if kind == "os.fork":
        children = []
        for name in names:
            child = os.fork()
            if child == 0:
                work(name)
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
    else:
        context = multiprocessing.get_context(kind)
        started = [context.Process(target=work, args=(name,)) for name in names]
        for process in started:
            process.start()
        for process in started:
            process.join(60)
    work("after")


if __name__ == "__main__":
    main(sys.argv[2], [f"child{number}" for number in range(CHILDREN)])
    assert client().flush(30), client().stats()

"""Forks once for each lock of the package, with the lock held by another thread.

    python locking.py SETTINGS KIND

The names of the locks are written to standard output.
"""

from __future__ import annotations

import collections
import ctypes
import functools
import gc
import json
import os
import sys
import threading
import time
import types

from capi_plugins import configure
from tests.faults.shop_process import event

LOCKS = (type(threading.Lock()), type(threading.RLock()), threading.Condition)
LIMIT = 20.0


def ours(thing):
    module = type(thing).__module__ or ""
    return module.partition(".")[0] in ("capi_plugins", "functools", "pluggy")


def inside(name, thing):
    """What a thing holds, each with a name to be told of."""
    if isinstance(thing, (types.ModuleType, type, dict)):
        held = thing if isinstance(thing, dict) else vars(thing)
        return [(f"{name}.{key}", value) for key, value in list(held.items())]
    if isinstance(thing, (list, tuple, set, frozenset, collections.deque)):
        return [(name, value) for value in list(thing)]
    if isinstance(thing, types.MethodType):
        return [(name, thing.__self__)]
    if isinstance(thing, types.FunctionType):
        return [(name, cell.cell_contents) for cell in thing.__closure__ or ()]
    if isinstance(thing, functools.partial) or ours(thing):
        return [(f"{name}.{type(thing).__name__}", value) for value in gc.get_referents(thing)]
    return []


def foreign(thing):
    """Whether something leads away from the package."""
    if isinstance(thing, type):
        return not thing.__module__.startswith("capi_")
    return isinstance(thing, types.ModuleType) and not thing.__name__.startswith("capi_")


def locks():
    """Every lock that is reached through modules, objects and containers of the package."""
    seen, found = set(), []
    waiting = collections.deque(
        (name, module) for name, module in list(sys.modules.items()) if name.startswith("capi_")
    )
    while waiting:
        name, thing = waiting.popleft()
        if id(thing) in seen or foreign(thing):
            continue
        seen.add(id(thing))
        if isinstance(thing, LOCKS):
            found.append((name, thing))
        else:
            waiting += inside(name, thing)
    return found


def fork():
    if sys.argv[2] == "os.fork":
        return os.fork()
    return ctypes.PyDLL(None).fork()


def in_child(number):
    began = time.monotonic()
    client.track(event(f"child-{number}"))
    took = time.monotonic() - began
    os.write(told, f"{took} ".encode())
    sent = client.flush(LIMIT)
    os._exit(0 if took < 5 and sent else 3)


hear, told = os.pipe()
client = configure(json.loads(sys.argv[1]))
client.capture(event("first"))
assert client.flush(30), client.stats()
roots = sys.modules["capi_plugins"]
roots.client_at_work = client
for tried, (name, lock) in enumerate(locks()):
    held, over = threading.Event(), threading.Event()

    def hold(lock=lock, held=held, over=over):
        with lock:
            held.set()
            over.wait(60)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert held.wait(30), name
    pid = fork()
    if pid == 0:
        in_child(tried)
    deadline = time.monotonic() + LIMIT + 10
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
            sys.exit(f"the child hangs with {name}")
        time.sleep(0.01)
    over.set()
    thread.join(30)
    assert status == 0, f"{name}: {os.waitstatus_to_exitcode(status)}"
    print(name)  # noqa: T201
client.capture(event("last"))
assert client.flush(30), client.stats()
waits = sorted(map(float, os.read(hear, 65536).split()))
# Each may meet a busy machine; half of them do not.
assert waits[len(waits) // 2] < 0.1, waits

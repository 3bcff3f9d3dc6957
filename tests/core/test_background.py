from __future__ import annotations

import subprocess
import sys
import threading

from capi_plugins.background import started


def test_a_thread_runs_beside_and_keeps_no_process_alive():
    ran: list[tuple[str, bool]] = []

    def run(word):
        ran.append((word, threading.current_thread().daemon))

    thread = started(run, "capi-example", "here")
    assert thread is not None
    thread.join()
    assert (thread.name, ran) == ("capi-example", [("here", True)])


def test_there_is_none_while_the_interpreter_is_torn_down():
    code = """
        from capi_plugins.background import started

        class Last:
            def __del__(self, started=started):
                print(started(print, "capi-late"), flush=True)

        last = Last()
        last.itself = last
    """
    code = "\n".join(line.removeprefix(" " * 8) for line in code.splitlines())
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("None\n", "", 0)


def test_there_is_none_where_the_host_allows_no_more(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert started(print, "capi-example") is None

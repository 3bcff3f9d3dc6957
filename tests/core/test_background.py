from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from capi_plugins.background import Errand, started


class Letters:
    """Letters that wait, and an errand that posts them; ``last`` happens when it believes to be
    done."""

    def __init__(self, last=lambda: None):
        self.waiting: list[str] = []
        self.posted: list[list[str]] = []
        self.last = last
        self.errand = Errand(self._post, self._left, name="capi-example")

    def write(self, *letters):
        self.waiting += letters
        return self.errand.begin()

    def _post(self):
        letters, self.waiting = self.waiting, []
        if "damaged" in letters:
            raise ValueError(letters)
        self.posted.append(letters)
        last, self.last = self.last, lambda: None
        last()

    def _left(self):
        return self.waiting


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


def test_an_errand_has_a_thread_while_there_is_something_to_be_done(until):
    letters = Letters()
    assert letters.write("a", "b")
    until(lambda: letters.posted == [["a", "b"]])
    letters.errand.join(60)
    assert letters.write("c")
    until(lambda: letters.posted == [["a", "b"], ["c"]])


def test_what_is_noted_as_an_errand_ends_is_done_too(until):
    letters = Letters()
    letters.last = lambda: letters.write("late")
    letters.write("a")
    until(lambda: letters.posted == [["a"], ["late"]])


def test_an_errand_without_a_thread_is_begun_again_later(monkeypatch, until):
    letters = Letters()
    with monkeypatch.context() as patched:
        patched.setattr("capi_plugins.background.started", lambda *_: None)
        assert not letters.write("a")
    assert letters.write("b")
    until(lambda: letters.posted == [["a", "b"]])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_errand_whose_thread_was_ended_is_begun_again(until):
    letters = Letters()
    letters.write("damaged")
    letters.errand.join(60)
    letters.write("a")
    until(lambda: letters.posted == [["a"]])

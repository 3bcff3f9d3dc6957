"""Programs that fork by themselves, in scripts and in commands of Django."""

# ruff: noqa: F811 - fixtures of Celery's tests

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from capi_plugins.cli.shops import examples
from tests.faults.serving import HOSTS, LIMIT, environment, searches
from tests.faults.shop_settings import settings
from tests.on_celery.conftest import broker, queue  # noqa: F401 - fixtures

WORKERS = ("before", *(f"child{number}" for number in range(4)), "after")
EXPECTED = {f"{name}-{number}": 1 for name in WORKERS for number in range(5)}


@pytest.mark.fault("A11", "A12")
@pytest.mark.parametrize("kind", ["os.fork", "fork", "forkserver", "spawn"])
def test_events_of_forked_processes_arrive_once(kind, sandbox, box):
    """A program that has captured events forks, by `os.fork` and by each way of
    multiprocessing, and half of the children are killed.

    What parent and children captured arrives once each.
    """
    done = subprocess.run(
        [sys.executable, str(HOSTS / "forking.py"), json.dumps(settings(sandbox.url, box)), kind],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=LIMIT * 2,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert dict(searches(sandbox)) == EXPECTED


@pytest.mark.fault("A11")
@pytest.mark.parametrize("outbox", ["memory", "file"])
def test_a_fork_in_the_middle_of_an_import_leaves_a_child_that_sends(outbox, sandbox, box):
    """A program forks while the thread that sends imports what it sends with, for the first time.

    The child sends its event, and the parent its own.
    """
    where = "memory" if outbox == "memory" else box
    done = subprocess.run(
        [sys.executable, "-W", "ignore:This process", str(HOSTS / "forking_early.py"),
         json.dumps(settings(sandbox.url, where))],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, timeout=LIMIT * 2, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert dict(searches(sandbox)) == {"before": 1, "child": 1, "parent": 1}


@pytest.mark.fault("A11")
@pytest.mark.parametrize("module", ["celery.app.amqp", "its transport"])
def test_a_fork_in_the_middle_of_a_nudge_leaves_a_child_that_tells(
    module,
    broker,
    queue,
    sandbox,
    box,
):
    """A program forks while the thread that tells Celery's workers of events imports what it does
    so with, for the first time.

    The child tells of its event as well, and the parent of its own.
    """
    from celery import Celery

    scheme = {"amqp": "pyamqp"}.get(broker.partition(":")[0], "redis")
    wanted = settings(sandbox.url, box, WORKER="celery", CELERY_APP="forking_nudge.app")
    if module == "its transport":
        module = f"kombu.transport.{scheme}"
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(HOSTS / "forking_nudge.py"), json.dumps(wanted),
             broker, queue, module],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True, text=True, timeout=LIMIT * 2, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        with Celery(broker=broker, set_as_current=False).connection_for_read() as connection:
            # Of the parent's two events one task may tell.
            waiting = connection.default_channel.queue_declare(queue, passive=True).message_count
            assert waiting >= 2
    finally:
        with Celery(broker=broker, set_as_current=False).connection_for_write() as connection:
            connection.default_channel.queue_delete(queue)


COMMAND = """
import sys
from capi_django import get_client
import forking

forking.client = get_client
forking.main("os.fork", ["child0", "child1", "child2", "child3"])
assert get_client().flush(30), get_client().stats()
"""


@pytest.mark.fault("A11")
def test_a_command_of_django_may_fork(sandbox, box, databases):
    """A management command of Django forks, and half of its children are killed.

    What parent and children captured arrives once each.
    """
    wanted = {"OUTBOX": f"sqlite:///{box}"}
    done = subprocess.run(
        # From 3.12 on Python warns of every fork beside threads.
        [sys.executable, "-W", "ignore:This process", "manage.py", "shell", "-c", COMMAND],
        cwd=examples() / "django_shop",
        # Whether the shopper agreed is not known in a command.
        env={**environment("django", databases("django"), sandbox.url, wanted), "SHOP_AGREED": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT * 2,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert dict(searches(sandbox)) == EXPECTED

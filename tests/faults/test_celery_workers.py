"""Celery's children are killed, and replaced after each task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

pytest.importorskip("celery", reason="Celery is not installed")

from capi_plugins.sandbox import Fault
from tests.faults.serving import HOSTS
from tests.faults.shop_settings import settings
from tests.on_celery.conftest import broker, kill, queue  # noqa: F401 - fixtures
from tests.outbox.other_process import ROOT


@pytest.fixture
def celery(broker, queue, sandbox, box, tmp_path):  # noqa: F811
    """Returns a function that runs a Celery worker of a shop, and one that orders there."""
    from celery import Celery

    wanted = settings(sandbox.url, box, WORKER="celery", CELERY_APP="celery_shop.app")
    running = []
    sender = Celery("shop", broker=broker, set_as_current=False)
    sender.conf.task_default_queue = queue

    def start(*more):
        log = tmp_path / f"celery-{len(running)}.log"
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "celery", "-A", "celery_shop", "worker", "-c",
             "2", "-l", "INFO", "-f", str(log), "--without-mingle", "-B", "-s",
             str(tmp_path / f"beat-{len(running)}"), "-n", f"{queue}-{len(running)}@%h", *more],
            cwd=HOSTS,
            env={**os.environ, "BROKER": broker, "QUEUE": queue, "SETTINGS": json.dumps(wanted),
                 "PYTHONPATH": f"{ROOT}:{HOSTS}", "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        running.append(process)
        deadline = time.monotonic() + 60
        while not (log.exists() and " ready." in log.read_text()):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        return process

    def order(number, task="order", **more):
        sender.send_task(task, args=(number,), kwargs=more, ignore_result=True)

    yield start, order
    for process in running:
        kill(process)
    with sender.connection_for_write() as connection:
        connection.default_channel.queue_delete(queue)
    sender.close()


def accepted(sandbox):
    return {found.payload["event_id"] for found in sandbox.accepted()}


@pytest.mark.fault("A20")
def test_every_event_of_a_task_arrives_though_each_child_takes_one_task(celery, sandbox, until):
    """Ten tasks run in Celery children that are replaced after each (`max_tasks_per_child=1`).

    Every task's event arrives, once.
    """
    start, order = celery
    start("--max-tasks-per-child", "1")
    numbers = {f"order-{number}" for number in range(10)}
    for number in numbers:
        order(number)
    until(lambda: accepted(sandbox) == numbers, 60)
    assert len(sandbox.events) == 10


@pytest.mark.fault("A20")
def test_every_event_of_a_task_arrives_though_its_child_is_killed(celery, sandbox, until):
    """Celery children are killed with SIGKILL right after they have captured an event, and the
    whole worker while it sends; another is started.

    Every captured event arrives, and counts once.
    """
    start, order = celery
    first = start()
    for number in range(3):
        order(f"killed-{number}", dies=True)
    until(lambda: len(accepted(sandbox)) == 3, 60)
    sandbox.inject(Fault.hang(times=None))
    seen = len(sandbox.requests)
    order("late")
    until(lambda: len(sandbox.requests) > seen, 60)
    kill(first)
    sandbox.clear_faults()
    start()
    until(lambda: len(accepted(sandbox)) == 4, 60)
    assert accepted(sandbox) == {"killed-0", "killed-1", "killed-2", "late"}
    assert len(sandbox.accepted()) == 4


@pytest.mark.fault("A17", "A20")
def test_a_time_limit_of_a_task_is_the_tasks_whatever_it_waits_for(celery, sandbox, until):
    """A task's `soft_time_limit` is over while a plugin looks at its event, and while the event is
    sent and nobody answers.

    The task is told, within seconds, and goes on as it likes. What was stored arrives, once.
    """
    start, order = celery
    start()
    order("looked-at", task="order_in_time")
    until(lambda: "late-looked-at" in accepted(sandbox), 15)
    sandbox.inject(Fault.hang())
    order("sent", task="order_in_time")
    until(lambda: {"late-sent", "sent"} <= accepted(sandbox), 30)
    assert accepted(sandbox) == {"late-looked-at", "late-sent", "sent"}
    assert len(sandbox.events) == 3

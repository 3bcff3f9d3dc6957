"""Celery's brokers are down, say nothing, are killed or cut off."""

# ruff: noqa: F811 - fixtures of Celery's tests

from __future__ import annotations

import contextlib
import os
import socket
import threading

import pytest

pytest.importorskip("celery", reason="Celery is not installed")

from tests.faults.own_servers import OwnRabbit, OwnRedis
from tests.faults.small_shop import accepted
from tests.on_celery.conftest import (  # noqa: F401
    lead,
    queue,
    settings,
    web,
    worker,
)

SWEEP = 60.0 if "CAPI_STORM_ROUNDS" in os.environ else 0.5
"""Seconds between two sweeps."""


def nobody_nudges():
    """Whether nobody is left in this process who would still tell a worker of something."""
    return not any(thread.name == "capi-nudge" for thread in threading.enumerate())


@pytest.fixture(params=["refuses", "never answers"])
def no_broker(request):
    """The port of a broker that is down, or takes connections and says nothing."""
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        if request.param == "never answers":
            found.listen(50)
        yield found.getsockname()[1]


@pytest.mark.fault("B18")
@pytest.mark.parametrize("scheme", ["amqp://user:pass-word@", "redis://:pass-word@"])
def test_without_a_broker_requests_notice_nothing(no_broker, scheme, web, lead, caplog, until):
    """RabbitMQ or Redis refuses connections, or takes them and says nothing, while events come in.

    Requests wait for neither. Everything is stored, and the log says once that no worker could
    be told, without the password.
    """
    client = web(f"{scheme}127.0.0.1:{no_broker}/0")
    lead(client, "first")
    took = sorted(lead(client, str(number)) for number in range(30))
    assert took[15] < 0.05
    assert took[-1] < 1.0
    assert client.stats().waiting == 31
    # The thread gives up by itself, however long the broker says nothing.
    until(lambda: "no Celery worker could be told that something waits" in caplog.text, 15)
    assert caplog.text.count("no Celery worker could be told") == 1
    assert "pass-word" not in caplog.text


@pytest.mark.fault("B18")
def test_a_redis_that_is_killed_loses_no_event(web, worker, lead, sandbox, until):
    """Redis, which keeps nothing on a disk, is killed with a worker connected, and begins anew.

    Requests do not wait meanwhile, and the sweep sends what no task has told of: within a minute
    of the worker's being connected again.
    """
    redis = OwnRedis()
    try:
        url = f"redis://127.0.0.1:{redis.port}/0"
        client = web(url)
        worker(url, sweep=SWEEP)
        lead(client, "before")
        until(lambda: accepted(sandbox) == ["before"])
        redis.kill()
        names = [str(number) for number in range(20)]
        assert sorted(lead(client, name) for name in names)[10] < 0.05
        until(nobody_nudges)
        redis.start()
        until(lambda: accepted(sandbox) == sorted(["before", *names]), 60 + SWEEP)
    finally:
        redis.remove()


@pytest.mark.fault("B18")
@pytest.mark.storm
def test_a_rabbitmq_that_is_killed_loses_no_event(web, worker, lead, sandbox, until):
    """RabbitMQ is killed with a worker connected, and begins anew.

    Requests do not wait meanwhile, and what no task has told of is sent by the sweep.
    """
    rabbit = OwnRabbit()
    try:
        client = web(rabbit.url)
        worker(rabbit.url, sweep=SWEEP)
        lead(client, "before")
        until(lambda: accepted(sandbox) == ["before"])
        rabbit.kill()
        names = [str(number) for number in range(20)]
        assert lead(client, *names) < 0.5
        until(nobody_nudges)
        rabbit.start()
        until(lambda: accepted(sandbox) == sorted(["before", *names]), 150 + SWEEP)
    finally:
        rabbit.remove()

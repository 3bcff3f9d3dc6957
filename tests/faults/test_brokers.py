"""Celery's brokers are down, say nothing, are killed or cut off."""

# ruff: noqa: F811 - fixtures of Celery's tests

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

pytest.importorskip("celery", reason="Celery is not installed")

from tests.faults.own_servers import OwnRedis
from tests.faults.small_shop import accepted
from tests.faults.wire import pass_on
from tests.on_celery.conftest import (  # noqa: F401
    BROKERS,
    broker,
    lead,
    queue,
    settings,
    until,
    web,
    worker,
)


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
def test_what_no_nudge_has_told_of_is_swept_up(broker, web, worker, lead, sandbox, until):
    """The broker of the web process takes connections no more; a worker sweeps through another.

    What no task has told of is found and arrives once.
    """
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        client = web(f"redis://127.0.0.1:{found.getsockname()[1]}/0")
        lead(client, "1", "2")
        client.close(20)
    worker(broker, sweep=0.5)
    until(lambda: accepted(sandbox) == ["1", "2"])


@pytest.mark.fault("B18")
def test_a_redis_that_is_killed_loses_no_event(web, worker, lead, sandbox, until):
    """Redis, which keeps nothing on a disk, is killed with a worker connected, and begins anew.

    Requests do not wait meanwhile, and the sweep sends what no task has told of.
    """
    redis = OwnRedis()
    try:
        url = f"redis://127.0.0.1:{redis.port}/0"
        client = web(url)
        worker(url, sweep=0.5)
        lead(client, "before")
        until(lambda: accepted(sandbox) == ["before"])
        redis.kill()
        names = [str(number) for number in range(20)]
        assert lead(client, *names) < 0.5
        redis.start()
        until(lambda: accepted(sandbox) == sorted(["before", *names]), 150)
    finally:
        redis.remove()


class Cable:
    """A way to a server that can be cut.

    Attributes:
        port: Where it begins.
    """

    def __init__(self, port):
        self._to = port
        self._ends = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._begin()

    def _begin(self):
        threading.Thread(target=self._accept, args=(self._socket,), daemon=True).start()

    def _accept(self, listening):
        with contextlib.suppress(OSError):
            while True:
                near, _ = listening.accept()
                far = socket.create_connection(("127.0.0.1", self._to), 5)
                far.settimeout(None)
                self._ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pass_on, args=pair, daemon=True).start()

    def cut(self):
        ends, self._ends = self._ends, []
        for end in [self._socket, *ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def mend(self):
        self._socket = socket.create_server(("127.0.0.1", self.port))
        self._begin()


@pytest.mark.fault("B18")
def test_a_rabbitmq_that_goes_and_comes_back_loses_no_event(web, worker, lead, sandbox, until):
    """All connections to RabbitMQ are cut and refused for a while, as when it is restarted.

    Requests do not wait meanwhile, and the sweep sends what no task has told of.
    """
    cable = Cable(5672)
    try:
        url = f"amqp://guest:guest@127.0.0.1:{cable.port}//"
        client = web(url)
        worker(url, sweep=0.5)
        lead(client, "before")
        until(lambda: accepted(sandbox) == ["before"])
        cable.cut()
        names = [str(number) for number in range(20)]
        assert lead(client, *names) < 0.5
        cable.mend()
        until(lambda: accepted(sandbox) == sorted(["before", *names]), 150)
    finally:
        cable.cut()

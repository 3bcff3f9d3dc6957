"""Celery as the one who sends, with real brokers and real workers."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time

import pytest

pytest.importorskip("celery", reason="Celery is not installed")

from capi_plugins import ConfigurationError, configure
from capi_plugins.celery_nudge import SWEEP, TASK, beat_schedule
from capi_plugins.cli.doors import Door
from capi_plugins.cli.findings import find
from capi_plugins.sandbox import Fault
from tests.on_celery.conftest import kill


def ids(sandbox):
    return sorted(event.payload["event_id"] for event in sandbox.accepted())


def celery_app():
    return sys.modules["capi_test_shop"].app


def test_a_worker_sends_what_it_is_nudged_about(broker, web, worker, lead, sandbox, until):
    client = web(broker)
    worker(broker)
    lead(client, "1")
    until(lambda: ids(sandbox) == ["1"])
    names = [str(number) for number in range(2, 40)]
    lead(client, *names)
    until(lambda: client.stats().waiting == 0)
    assert ids(sandbox) == sorted(["1", *names])
    assert not any(event.duplicate for event in sandbox.events)


def test_a_nudge_names_the_destination_and_nobody(broker, web, lead, queue):
    client = web(broker)
    lead(client, "1")
    lead(client, "2")
    client.close(20)
    with celery_app().connection_for_read() as connection:
        message = connection.default_channel.basic_get(queue, no_ack=True)
        assert message is not None
        decoded = connection.default_channel.message_to_python(message)
        assert json.loads(decoded.body)[:2] == [["meta"], {}]
        assert (decoded.headers["task"], decoded.headers["eta"]) == (TASK, None)
        everything = str((decoded.body, decoded.headers, decoded.properties))
        assert "example.com" not in everything
        assert "secret-token" not in everything


def test_tasks_that_are_doubled_or_late_do_no_harm(broker, web, worker, lead, sandbox, until):
    sandbox.inject(Fault.latency(0.2, times=2))
    client = web(broker)
    names = [str(number) for number in range(20)]
    lead(client, *names)
    with celery_app().connection_for_write() as connection:
        for each in ("meta", "meta", "meta", None, "unknown"):
            celery_app().send_task(TASK, args=(each,), connection=connection, ignore_result=True)
    worker(broker)
    until(lambda: client.stats().waiting == 0)
    assert ids(sandbox) == sorted(names)
    assert not any(event.duplicate for event in sandbox.events)


def test_the_sweep_sends_what_a_killed_worker_had_in_hand(
    broker, web, worker, lead, sandbox, until
):
    sandbox.inject(Fault.hang())
    client = web(broker)
    first = worker(broker)
    lead(client, "1")
    until(lambda: sandbox.requests)
    kill(first)
    assert client.stats().waiting == 1
    worker(broker, sweep=0.5)
    until(lambda: ids(sandbox) == ["1"])


# ------------------------------------------------------------------ settings


def test_the_sweep_is_an_entry_for_the_schedule():
    assert beat_schedule() == {
        "capi-sweep": {"task": TASK, "schedule": SWEEP, "options": {"expires": SWEEP}}
    }


def problems(settings):
    with pytest.raises(ConfigurationError) as caught:
        configure(settings, environ={})
    return caught.value.problems


def test_the_app_has_to_be_named(settings):
    del settings["DELIVERY"]["CELERY_APP"]
    (problem,) = problems(settings)
    assert problem.startswith("CAPI['DELIVERY']['CELERY_APP'] is required")


def test_celery_has_to_be_installed(settings, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "celery" else found(name)
    )
    (problem,) = problems(settings)
    assert "pip install 'capi-plugins[celery]'" in problem


def test_an_outbox_in_memory_is_refused(settings):
    settings["DELIVERY"]["OUTBOX"] = "memory"
    (problem,) = problems(settings)
    assert "needs an outbox that other processes can read" in problem


def test_an_app_that_cannot_be_imported_costs_the_nudge_alone(settings, lead, caplog):
    settings["DELIVERY"]["CELERY_APP"] = "no_such_module_anywhere.app"
    client = configure(settings, environ={})
    lead(client, "1")
    assert client.stats().waiting == 1
    client.close(20)
    assert "(ModuleNotFoundError)" in caplog.text


def test_who_does_not_choose_celery_does_not_import_it(settings):
    settings["DELIVERY"]["WORKER"] = "external"
    code = (
        "import json, sys\nfrom capi_plugins import configure\n"
        "configure(json.loads(sys.argv[1])).close()\nassert 'celery' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, json.dumps(settings)], check=True)


def test_check_looks_at_the_celery_app(settings, web):
    client = web("memory://")
    door = Door(client=lambda: client, where="settings")
    _, found = find(door, time.time())
    assert [problem for problem in found if problem.level == "error"] == []
    settings["DELIVERY"]["CELERY_APP"] = "no_such_module_anywhere.app"
    client = configure(settings, environ={})
    _, found = find(door, time.time())
    (problem,) = [problem for problem in found if problem.level == "error"]
    assert problem.text.endswith("cannot be imported: ModuleNotFoundError")
    client.close()

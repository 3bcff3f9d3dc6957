"""Django's tasks framework as the one who sends, with a real backend and real workers.

On Django 5.2 it is the package django-tasks.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys

import django
import pytest

pytest.importorskip("django_tasks_db", reason="no backend with workers is installed")

from capi_plugins.sandbox import Fault, Sandbox
from tests.on_django import databases
from tests.on_django.conftest import PROJECT

DATABASE = "django_tasks_db.DatabaseBackend"
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
IMMEDIATE = f"{FRAMEWORK}.backends.immediate.ImmediateBackend"
DUMMY = f"{FRAMEWORK}.backends.dummy.DummyBackend"
LEAD = """
import time, capi_django
longest = 0
for name in NAMES:
    began = time.perf_counter()
    capi_django.track("Lead", event_id=name, action_source="email",
        user_data={"email": name + "@example.com"})
    longest = max(longest, time.perf_counter() - began)
print(longest)
"""


@pytest.fixture
def sandbox():
    with Sandbox() as running:
        yield running


@pytest.fixture
def engine():
    return "sqlite"


@pytest.fixture
def database(engine, tmp_path):
    """A database of its own, not migrated yet."""
    settings = databases.made(engine, tmp_path)
    yield settings
    databases.removed(engine, settings)


class Project:
    """The bookshop with tasks, in processes of its own."""

    def __init__(self, sandbox, database, folder):
        self.delivery = {"WORKER": "tasks"}
        self.tasks = {"default": {"BACKEND": DATABASE}}
        self._sandbox, self._database, self._folder = sandbox, database, folder
        self._running = []

    @property
    def environ(self):
        capi = {
            "DESTINATIONS": {
                "meta": {
                    "DATASET_ID": "1",
                    "ACCESS_TOKEN": "secret-token",
                    "API_URL": self._sandbox.url,
                }
            },
            "CONSENT": {"DEFAULT": "granted"},
            "DELIVERY": self.delivery,
            "AUTOLOAD": False,
        }
        return {
            **os.environ,
            "BOOKSHOP_CAPI": json.dumps(capi),
            "BOOKSHOP_DATABASES": json.dumps({"default": self._database}),
            "BOOKSHOP_TASKS": json.dumps(self.tasks),
            "NO_PROXY": "127.0.0.1",
        }

    def manage(self, *arguments):
        return subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def shell(self, code):
        done = self.manage("shell", "-v", "0", "-c", code)
        assert done.returncode == 0, done.stderr
        return done

    def lead(self, *names):
        return self.shell(LEAD.replace("NAMES", repr(names)))

    def worker(self):
        arguments = ["db_worker", "--interval", "0.05", "--no-startup-delay", "--no-reload"]
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._running.append(process)
        return process

    def end(self):
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


@pytest.fixture
def project(sandbox, database, tmp_path):
    project = Project(sandbox, database, tmp_path)
    yield project
    project.end()


@pytest.fixture
def migrated(project):
    done = project.manage("migrate", "-v", "0")
    assert done.returncode == 0, done.stderr
    return project


def ids(sandbox):
    return sorted(event.payload["event_id"] for event in sandbox.accepted())


ROWS = (
    "from django_tasks_db.models import DBTaskResult as T; import json; "
    "rows = T.objects.order_by('enqueued_at').values('task_path', 'args_kwargs', 'status'); "
    "print(json.dumps(list(rows)))"
)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_worker_sends_what_it_is_nudged_about_and_sees_no_event(migrated, sandbox, until):
    worker = migrated.worker()
    names = [str(number) for number in range(20)]
    migrated.lead(*names)
    until(lambda: ids(sandbox) == sorted(names))
    assert not any(event.duplicate for event in sandbox.events)
    worker.send_signal(signal.SIGTERM)
    # What it returns is the affair of the package that it is of.
    worker.wait(30)
    rows = json.loads(migrated.shell(ROWS).stdout)
    # Many events at once are few nudges.
    assert 1 <= len(rows) <= 3
    for row in rows:
        assert row["task_path"] == "capi_django.tasks_nudge.deliver"
        assert row["args_kwargs"] == {"args": ["meta"], "kwargs": {}}
    assert rows[0]["status"] == "SUCCESSFUL"


def test_the_sweep_sends_what_a_killed_worker_had_in_hand(migrated, sandbox, until, tmp_path):
    # A lock of the kernel, where the lease in a database would have to run out.
    migrated.delivery = {"WORKER": "tasks", "OUTBOX": f"sqlite:///{tmp_path}/box/outbox.sqlite3"}
    sandbox.inject(Fault.hang())
    worker = migrated.worker()
    migrated.lead("1")
    until(lambda: sandbox.requests)
    worker.kill()
    worker.wait()
    assert migrated.manage("capi", "deliver", "--once").returncode == 0
    assert ids(sandbox) == ["1"]


def test_where_no_task_can_be_stored_the_host_notices_nothing(project, sandbox, tmp_path):
    project.delivery = {"WORKER": "tasks", "OUTBOX": f"sqlite:///{tmp_path}/box/outbox.sqlite3"}
    done = project.lead("1")
    assert float(done.stdout) < 1.0
    assert "no task worker could be told that something waits" in done.stderr
    assert "the sweep delivers it" in done.stderr
    assert project.manage("capi", "deliver", "--once").returncode == 0
    assert ids(sandbox) == ["1"]


@pytest.mark.parametrize("backend", [IMMEDIATE, DUMMY])
def test_w007_a_backend_without_workers_is_warned_of_and_given_nothing(project, backend, sandbox):
    project.tasks = {"default": {"BACKEND": backend}}
    assert project.manage("migrate", "-v", "0").returncode == 0
    done = project.manage("check")
    assert done.returncode == 0
    assert "(capi_django.W007)" in done.stderr
    assert f"is a {backend.rpartition('.')[2]}, which has no workers" in done.stderr
    done = project.shell(
        LEAD.replace("NAMES", "['1']") + "from capi_django.models import WaitingDelivery as W\n"
        "capi_django.get_client().close()\nprint(W.objects.count())"
    )
    assert done.stdout.split()[-1] == "1"
    assert not sandbox.requests


def test_a_backend_and_a_queue_can_be_chosen(project):
    project.tasks = {
        "default": {"BACKEND": IMMEDIATE},
        "slow": {"BACKEND": DATABASE, "QUEUES": ["conversions"]},
    }
    project.delivery = {"WORKER": "tasks", "TASK_BACKEND": "slow", "TASK_QUEUE": "conversions"}
    assert project.manage("migrate", "-v", "0").returncode == 0
    assert "W007" not in project.manage("check").stderr
    project.lead("1")
    rows = json.loads(
        project.shell(ROWS.replace("'status'", "'backend_name', 'queue_name'")).stdout
    )
    assert [(row["backend_name"], row["queue_name"]) for row in rows] == [("slow", "conversions")]


@pytest.mark.parametrize(
    ("delivery", "told"),
    [
        ({"TASK_BACKEND": "defualt"}, "is not in TASKS; did you mean 'default'?"),
        ({"TASK_QUEUE": "fast"}, "'fast' is not a queue of TASKS['default']"),
        ({"OUTBOX": "memory"}, "needs an outbox that other processes can read"),
    ],
)
def test_mistakes_are_told(project, delivery, told):
    project.delivery = {"WORKER": "tasks", **delivery}
    done = project.manage("check")
    assert done.returncode == 1
    assert told in done.stderr

"""Shops that take orders and nothing else, their customers, and what is known of who sent what."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tests.faults.serving import HOSTS, LIMIT, Server, Visitors
from tests.faults.shop_settings import settings

PROJECT = Path(__file__).parents[1] / "on_django" / "project"
PURCHASE = {
    "ON": "signal",
    "SIGNAL": "bookshop.signals.order_placed",
    "EVENT": "Purchase",
    "EVENT_ID": "order.number",
    "CUSTOM_DATA": {"value": "order.total", "currency": {"VALUE": "EUR"}},
}


def environ(wanted, *, sends=None, database=None):
    """The environment of a shop.

    Args:
        wanted: Its ``CAPI``.
        sends: Where it writes down who sends what.
        database: The settings of its database, for Django's.
    """
    kept = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "CAPI_REQUIRE_SERVICES")
    found = {name: value for name, value in os.environ.items() if name in kept}
    found |= {"PYTHONUNBUFFERED": "1", "PYTHONPATH": os.pathsep.join([str(HOSTS), str(PROJECT)])}
    if sends is not None:
        wanted = {**wanted, "PLUGINS": ["noted_sends"]}
        found["SENDS"] = str(sends)
    if database is None:
        return {**found, "SHOP_CAPI": json.dumps({**wanted, "PAGE_VIEW": False})}
    wanted = {**wanted, "PAGE_VIEW": False, "TRIGGERS": [PURCHASE]}
    return {
        **found,
        "BOOKSHOP_CAPI": json.dumps(wanted),
        "BOOKSHOP_DATABASES": json.dumps({"default": database}),
        "DJANGO_SETTINGS_MODULE": "orders_django",
    }


class Orders:
    """A shop of one kind, run as often as wanted.

    Args:
        folder: Where its log and its notes go.
        url: Of the sandbox.
        box: Path of its outbox.
        database: The settings of its database, for Django's shop, whose outbox is there.
        delivery: Further keys of ``DELIVERY``.
    """

    def __init__(self, folder, url, box, database=None, **delivery):
        self.folder = folder
        self.box = box
        self.database = database
        self.sends = folder / "sends"
        self.random = random.Random(5)
        wanted = settings(url, "database" if database else box, TIMEOUT=60, **delivery)
        self.environ = environ(wanted, sends=self.sends, database=database)
        self.servers = []
        if database:
            subprocess.run(
                [sys.executable, str(PROJECT / "manage.py"), "migrate", "--verbosity=0"],
                env=self.environ, check=True, capture_output=True, timeout=LIMIT * 2,
            )  # fmt: skip

    def serve(self, server):
        shop = "orders_django" if self.database else "orders_flask"
        self.servers.append(Server(server, shop, self.environ, self.folder / "server.log"))
        return self.servers[-1]

    def close(self):
        for server in self.servers:
            server.close()

    # ------------------------------------------------------------------ what is stored

    def _query(self, statement):
        if self.database is None:
            with contextlib.closing(sqlite3.connect(self.box, timeout=10)) as connection:
                return connection.execute(statement).fetchall()
        import psycopg

        where = f"host=127.0.0.1 user=postgres dbname={self.database['NAME']}"
        with psycopg.connect(where, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def waiting(self):
        known = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'delivery'"
        if self.database is None and (not self.box.exists() or self._query(known) == [(0,)]):
            return 0
        table = "capi_django_waitingdelivery" if self.database else "delivery"
        [(found,)] = self._query(f"SELECT COUNT(*) FROM {table}")
        return found

    def unsent(self):
        """The ids of the events in the database of Django's shop."""
        rows = self._query("SELECT event_id FROM capi_django_waitingdelivery")
        return {event_id for (event_id,) in rows}

    def committed(self):
        """The numbers of the orders in the database of Django's shop."""
        return {number for (number,) in self._query("SELECT number FROM bookshop_order")}

    def end_leases(self):
        """What a killed process has taken from a database is free for others in a minute: now."""
        if self.database:
            self._query("UPDATE capi_django_waitingdelivery SET leased_until = 0")

    def assert_sound(self):
        if self.database is None:
            assert self._query("PRAGMA integrity_check") == [("ok",)]

    def deliver_the_rest(self):
        """Serve until nothing waits any more."""
        self.serve("gunicorn -w 1")
        self.wait_until_nothing_waits()

    def wait_until_nothing_waits(self):
        deadline = time.monotonic() + 2 * LIMIT
        while self.waiting():
            assert time.monotonic() < deadline, self.servers[-1].said()
            self.end_leases()
            time.sleep(0.05)


class Customers(Visitors):
    """Customers who order: every order has a number, and those answered with 200 are promised.

    Attributes:
        in_memory: How many were taken while the file was busy, which is no promise.
    """

    def __init__(self, server, declines=0.0):
        super().__init__(server)
        self.declined = []
        self.in_memory = 0
        self._declines = declines

    def come(self, visits):
        """Order until so many more orders are promised."""
        wanted = len(self.acknowledged) + visits
        deadline = time.monotonic() + LIMIT
        while len(self.acknowledged) < wanted:
            assert self.visit() in (200, 202, 409), self.server.said()
            assert time.monotonic() < deadline, self.server.said()

    def visit(self, query=""):
        number = f"{self._mark}.{next(self._numbers)}"
        declines = random.random() < self._declines
        if declines:
            self.declined.append(number)
            query = "?decline=1"
        status = self.server.get(f"/order/{number}/{query}")
        self.asked += 1
        if status == 200:
            self.acknowledged.append(number)
        self.in_memory += status == 202
        return status


# ---------------------------------------------------------------------- killing


def kill_all(server):
    """Kill a server with all of its workers; return their process ids."""
    # So that it begins no further worker meanwhile.
    os.kill(server.process.pid, signal.SIGSTOP)
    found = {server.process.pid, *server.workers()}
    os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(LIMIT)
    return found


def copies(sandbox):
    """Every copy of each event that was let in, those that count no more included."""
    found = collections.defaultdict(list)
    for event in sandbox.events:
        found[number(event.payload["event_id"])].append(event.payload)
    return found


def number(event_id):
    """The number of the order an event is of."""
    return event_id.removeprefix("Purchase.")


def unexplained(sends, killed):
    """Event ids that were sent again although nobody was killed with the answer.

    Args:
        sends: The file of ``noted_sends``.
        killed: The process ids of those who were.
    """
    answered = collections.defaultdict(list)
    for line in sends.read_text().splitlines():
        pid, word, *ids = line.split()
        for event_id in ids:
            if word != "sends":
                answered[event_id].remove((pid, "sends"))
            answered[event_id].append((pid, word))
    let_in = {
        event_id: [pid for pid, word in each if word in ("sends", "200")]
        for event_id, each in answered.items()
    }
    return {
        event_id
        for event_id, pids in let_in.items()
        if any(int(pid) not in killed for pid in pids[:-1])
    }

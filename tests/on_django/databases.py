"""Databases of their own for tests that commit: a file of SQLite, PostgreSQL, MariaDB."""

from __future__ import annotations

import contextlib
import os
import uuid

import psycopg
import pymysql
import pytest
from django.core.management import call_command
from django.db import connections

ENGINES = ("sqlite", "postgresql", "mariadb")


def _on_server(engine, statement):
    if engine == "postgresql":
        url = "host=127.0.0.1 user=postgres dbname=postgres"
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as server:
            server.execute(statement)
    else:
        server = pymysql.connect(host="127.0.0.1", user="root", connect_timeout=5)
        with server, server.cursor() as cursor:
            cursor.execute(statement)


def made(engine, folder):
    """The settings of a new, empty database; skips where there is no server."""
    name = f"capi_{uuid.uuid4().hex[:12]}"
    if engine == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(folder / f"{name}.sqlite3"),
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    try:
        _on_server(engine, f"CREATE DATABASE {name}")
    except (psycopg.OperationalError, pymysql.OperationalError) as error:
        reason = f"{engine} does not answer at 127.0.0.1: {type(error).__name__}"
        if os.environ.get("CAPI_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    if engine == "postgresql":
        return {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "USER": "postgres",
            "NAME": name,
        }
    return {
        "ENGINE": "django.db.backends.mysql",
        "HOST": "127.0.0.1",
        "USER": "root",
        "NAME": name,
        "OPTIONS": {"charset": "utf8mb4"},
    }


def removed(engine, settings):
    if engine == "postgresql":
        _on_server(engine, f"DROP DATABASE {settings['NAME']} WITH (FORCE)")
    elif engine == "mariadb":
        _on_server(engine, f"DROP DATABASE {settings['NAME']}")


def known(alias, settings):
    """Have Django know a database under a name."""
    connections.settings[alias] = {**connections.settings["second"], "OPTIONS": {}, **settings}


def forgotten(alias):
    connections[alias].close()
    del connections[alias]
    del connections.settings[alias]


def migrated(alias, *target):
    more = {} if target else {"run_syncdb": True}
    call_command("migrate", *target, database=alias, verbosity=0, **more)


@contextlib.contextmanager
def without_table(alias, model):
    """Have the table of a model gone; another name in its options would stay in its fields."""
    table = model._meta.db_table
    with connections[alias].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO gone")
        try:
            yield table
        finally:
            cursor.execute(f"ALTER TABLE gone RENAME TO {table}")

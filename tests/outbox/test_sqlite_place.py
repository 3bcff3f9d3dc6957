"""Where the file may be, what is made there, and how settings name it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from capi_plugins import ConfigurationError, configure
from capi_plugins.outbox.sqlite_place import parse_place, place_problems


@pytest.fixture
def folder(path):
    path.parent.mkdir(mode=0o700)
    return path.parent


def test_a_relative_path_starts_at_the_working_folder(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    place, problems = parse_place("sqlite:///box/outbox.sqlite3")
    assert (place.path, problems) == (tmp_path / "box" / "outbox.sqlite3", [])


def test_a_fourth_slash_makes_the_path_absolute(path):
    place, problems = parse_place(f"sqlite:///{path}?power_safe=true&max_bytes=5000000")
    assert problems == []
    assert (place.path, place.power_safe, place.max_bytes) == (path, True, 5_000_000)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite://outbox.sqlite3", "four"),
        ("sqlite:///", "names no file"),
        ("sqlite:////tmp/x/y?fast=yes", "'fast'"),
        ("sqlite:////tmp/x/y?power_safe=maybe", "'power_safe'"),
        ("sqlite:////tmp/x/y?max_bytes=12", "1000000"),
    ],
)
def test_what_cannot_be_read_is_told(url, problem):
    assert problem in " ".join(parse_place(url)[1])


def test_a_place_that_does_not_exist_yet_is_fine(path):
    assert place_problems(path) == []


# ------------------------------------------------------------------ settings


def settings(outbox, **delivery):
    return {"CONSENT": {"DEFAULT": "granted"}, "DELIVERY": {"OUTBOX": outbox, **delivery}}


def test_settings_name_the_file_and_nothing_is_made_before_it_is_used(path):
    client = configure(settings(f"sqlite:///{path}"))
    assert not path.parent.exists()
    assert client.stats().waiting == 0
    assert path.exists()
    client.close()


def test_a_worker_of_its_own_may_send_from_the_file(path):
    configure(settings(f"sqlite:///{path}", WORKER="external")).close()


@pytest.mark.parametrize("outbox", ["memory", "immediate", "auto"])
def test_a_worker_of_its_own_cannot_send_from_memory(outbox):
    with pytest.raises(ConfigurationError, match="other processes"):
        configure(settings(outbox, WORKER="external"))


def test_only_who_configures_it_loads_sqlite_and_does_so_at_once(path):
    code = (
        "import sys; from capi_plugins import configure; "
        f"configure({settings('memory')!r}); assert 'sqlite3' not in sys.modules; "
        f"configure({settings(f'sqlite:///{path}')!r}); assert 'sqlite3' in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)

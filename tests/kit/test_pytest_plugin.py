"""The pytest plugin, in runs of hosts' own tests: it is loaded because it is installed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SHOP = """
import logging
import pytest
from capi_plugins import configure

@pytest.fixture
def shop():
    client = configure(
        {
            "DESTINATIONS": {"meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "t",
                                      "API_URL": "https://graph.example.invalid"}},
            "CONSENT": {"DEFAULT": "granted"},
            "DELIVERY": {"OUTBOX": "immediate"},
            "AUTOLOAD": False,
        },
        environ={},
    )
    yield client
    client.close(0)
"""
OTHERS = ("CAPI_", "PYTEST_", "DJANGO_")
LEAD = 'shop.track("Lead", action_source="email", user_data={"email": "a@example.com"})'


@pytest.fixture
def run(tmp_path):
    def run(tests, host=SHOP, **environ):
        (tmp_path / "test_shop.py").write_text(host + tests)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(OTHERS)}
        return subprocess.run(
            [
                sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                "-c", os.devnull, "--rootdir", str(tmp_path), "-W", "error", "test_shop.py",
            ],
            cwd=tmp_path,
            env={**inherited, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )  # fmt: skip

    return run


def test_nothing_leaves_the_tests_of_a_host_that_does_nothing_for_it(run):
    done = run(f"""
def test_lead(shop, caplog):
    {LEAD}
    assert "nothing is sent to graph.example.invalid: CAPI_SENDING is 'off'" in caplog.text
    assert shop.stats().waiting == 1
""")
    assert done.returncode == 0, done.stdout + done.stderr


def test_sending_can_be_asked_for(run):
    done = run(
        f"""
def test_lead(shop, caplog):
    {LEAD}
    assert "nothing is sent" not in caplog.text
""",
        CAPI_SENDING="on",
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_fixture_records_events(run):
    done = run(f"""
def test_lead(shop, capi_events):
    {LEAD}
    capi_events.assert_event("Lead", email="a@example.com")
    assert shop.stats().waiting == 1
""")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_fixture_runs_a_sandbox(run):
    done = run("""
from capi_plugins.testing import sandboxed

def test_lead(capi_sandbox):
    shop = configure(sandboxed({"CONSENT": {"DEFAULT": "granted"}}, capi_sandbox.url))
    shop.track("Lead", action_source="email", user_data={"email": "a@example.com"})
    assert [event.name for event in capi_sandbox.accepted()] == ["Lead"]
    shop.close(0)
""")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_that_does_not_use_it_imports_nothing_of_us(run):
    done = run(
        "import sys\n"
        "def test_other():\n"
        "    ours = [name for name in sys.modules if name.startswith('capi_')]\n"
        "    assert ours == ['capi_pytest']\n",
        host="",
    )
    assert done.returncode == 0, done.stdout


def test_the_environment_is_left_as_it_was(tmp_path):
    script = (
        "import os, pytest\n"
        "pytest.main(['-q', '-p', 'no:cacheprovider', '--collect-only', '.'])\n"
        "assert 'CAPI_SENDING' not in os.environ\n"
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith(OTHERS)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environ, check=False, timeout=120
    )
    assert done.returncode == 0

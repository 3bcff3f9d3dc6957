"""What ``"OUTBOX": "auto"`` is in a Flask app, and what becomes of it where a file cannot be."""

from __future__ import annotations

import os
import stat

import flask
import pytest
from capi_flask import Capi

from capi_plugins import Client, ConfigurationError, configure
from capi_plugins.sandbox import Sandbox


def settings(url="http://127.0.0.1:9", **delivery):
    return {
        "DESTINATIONS": {"meta": {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "t", "API_URL": url}},
        "CONSENT": {"DEFAULT": "granted"},
        "EXCLUDE": {"bots": False},
        "DELIVERY": delivery,
    }


@pytest.fixture
def folder(tmp_path):
    # What a temporary folder is below may be open to others.
    made = tmp_path / "shop"
    made.mkdir(mode=0o755)
    return made / "instance"


@pytest.fixture
def make_app(folder):
    made = []

    def make_app(url="http://127.0.0.1:9", **delivery):
        app = flask.Flask("shop", instance_path=str(folder))
        app.config["CAPI"] = settings(url, **delivery)
        Capi(app)
        app.add_url_rule("/", "home", lambda: "<p>Hello</p>")
        made.append(client_of(app))
        return app

    yield make_app
    for client in made:
        client.close(0)


def client_of(app) -> Client:
    return app.extensions["capi"].client


def visit(app):
    browser = app.test_client()
    browser.set_cookie("_fbp", "fb.1.1700000000000.1234567890")
    assert browser.get("/", headers={"User-Agent": "Firefox/140.0"}).status_code == 200


def test_events_wait_in_a_file_of_the_instance_folder(make_app, folder):
    app = make_app()
    visit(app)
    assert (folder / "capi.sqlite3").is_file()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert client_of(app).stats().in_memory == 0
    assert client_of(app).stats().waiting == 1


def test_nothing_is_made_before_the_first_event(make_app, folder):
    app = make_app()
    app.test_cli_runner().invoke(args=["routes"])
    assert not folder.exists()


def test_an_app_that_is_tested_keeps_events_in_memory(make_app, folder, caplog):
    app = make_app()
    app.testing = True
    visit(app)
    assert client_of(app).stats().in_memory == 1
    assert client_of(app).stats().waiting == 1
    assert not folder.exists()
    assert "OUTBOX" not in caplog.text


def test_a_folder_open_to_others_is_told_and_memory_is_used(make_app, folder, caplog):
    folder.mkdir()
    folder.chmod(0o777)
    app = make_app()
    visit(app)
    visit(app)
    assert client_of(app).stats().waiting == 2
    assert list(folder.iterdir()) == []
    [record] = [record for record in caplog.records if "OUTBOX" in record.getMessage()]
    assert record.levelname == "WARNING"
    assert "chmod go-w" in record.getMessage()
    assert str(folder) in record.getMessage()


def test_a_folder_that_cannot_be_written_is_told_and_memory_is_used(
    make_app, folder, caplog, monkeypatch
):
    real = os.access
    parent = str(folder.parent)
    monkeypatch.setattr(
        os, "access", lambda path, mode: str(path) != parent and real(path, mode)
    )  # root may write everywhere
    app = make_app()
    visit(app)
    assert client_of(app).stats().waiting == 1
    assert not folder.exists()
    assert f"{parent} is not writable" in caplog.text
    assert "sqlite:///path" in caplog.text


def test_an_external_worker_finds_the_file(make_app, folder):
    app = make_app(WORKER="external")
    visit(app)
    with Sandbox() as sandbox:
        other = configure(
            settings(sandbox.url, OUTBOX=f"sqlite:///{folder / 'capi.sqlite3'}"), environ={}
        )
        assert other.flush(20)
        other.close()
        assert len(sandbox.accepted("PageView")) == 1


def test_a_program_without_a_framework_keeps_events_in_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client = configure(settings())
    client.track("Lead", user_data={"email": "ada@example.com"}, action_source="system_generated")
    assert client.stats().waiting == 1
    client.close(0)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigurationError, match="'auto' is in memory"):
        configure(settings(WORKER="external"))

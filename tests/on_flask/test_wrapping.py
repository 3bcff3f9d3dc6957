"""Apps that know nothing of the library: wrapped from outside, configured from everywhere."""

from __future__ import annotations

import json
import sys

import flask
import pytest
from capi_flask import Capi, wrap

from capi_plugins import ConfigurationError

CAPI = {
    "DESTINATIONS": {"meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "t"}},
    "CONSENT": {"DEFAULT": "granted"},
    "RECIPES": [],
    "AUTOLOAD": False,
}
FACTORY = """
from flask import Flask


def create_app(name="shop"):
    app = Flask(name, instance_path={instance!r})
    {more}
    return app


app = create_app("made")
"""


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Returns a function that writes a host's module and names it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    instance = tmp_path / "instance"
    instance.mkdir()
    written = []

    def write(more="pass"):
        name = f"host_{len(written)}_{tmp_path.name}"
        (tmp_path / f"{name}.py").write_text(FACTORY.format(instance=str(instance), more=more))
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


def settings_of(app):
    return app.extensions["capi"].client.settings


@pytest.mark.parametrize(
    ("target", "name"),
    [("{}:app", "made"), ("{}:create_app", "shop"), ("{}:create_app('x')", "x"), ("{}", "made")],
)
def test_a_target_is_what_flask_takes(host, target, name):
    app = wrap(target.format(host(f"app.config['CAPI'] = {CAPI!r}")))
    assert isinstance(app, flask.Flask)
    assert app.name == name
    assert list(app.extensions["capi"].client.destinations) == ["meta"]


def test_the_app_s_own_configuration_comes_first(host, tmp_path, monkeypatch):
    (tmp_path / "instance" / "config.py").write_text(f"CAPI = {CAPI | {'TRUSTED_PROXIES': 1}!r}\n")
    (tmp_path / "capi.toml").write_text("TRUSTED_PROXIES = 2\n")
    monkeypatch.setenv("CAPI_CONFIG", str(tmp_path / "capi.toml"))
    own = f"app.config['CAPI'] = {CAPI | {'TRUSTED_PROXIES': 3}!r}"
    assert settings_of(wrap(host(own))).trusted_proxies == 3
    assert settings_of(wrap(host())).trusted_proxies == 1
    (tmp_path / "instance" / "config.py").unlink()
    assert settings_of(wrap(host())).trusted_proxies == 2


def test_the_environment_is_laid_over_it_and_the_app_s_own_stays_as_it_is(host, monkeypatch):
    own = f"app.config['MINE'] = app.config['CAPI'] = {CAPI!r}"
    monkeypatch.setenv("FLASK_CAPI__CONSENT__DEFAULT", "denied")
    app = wrap(host(own))
    assert settings_of(app).consent.default == "denied"
    assert app.config["MINE"]["CONSENT"]["DEFAULT"] == "granted"


def test_the_environment_alone_is_enough(host, monkeypatch):
    monkeypatch.setenv("FLASK_CAPI", json.dumps(CAPI))
    assert list(wrap(host()).extensions["capi"].client.destinations) == ["meta"]


def test_an_app_that_is_set_up_is_left_as_it_is(host, monkeypatch):
    app = wrap(host(f"app.config['CAPI'] = {CAPI!r}; __import__('capi_flask').Capi(app)"))
    monkeypatch.setenv("FLASK_CAPI__TRUSTED_PROXIES", "5")
    assert settings_of(app).trusted_proxies == 0
    installed = app.extensions["capi"]
    Capi(app)
    assert app.extensions["capi"] is installed


def test_what_is_wrong_is_told_as_anywhere(host, monkeypatch):
    monkeypatch.setenv("FLASK_CAPI__CONSENT__DEFAULT", "perhaps")
    with pytest.raises(ConfigurationError, match="must be one of 'granted'"):
        wrap(host(f"app.config['CAPI'] = {CAPI!r}"))


def test_the_module_for_servers_says_what_it_needs(monkeypatch):
    monkeypatch.delenv("CAPI_FLASK_APP", raising=False)
    sys.modules.pop("capi_flask.wsgi", None)
    with pytest.raises(RuntimeError, match="needs CAPI_FLASK_APP"):
        __import__("capi_flask.wsgi")

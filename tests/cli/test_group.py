from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

import capi_plugins
from capi_plugins.cli import INSTALL
from capi_plugins.cli.group import COMMANDS


def test_help_names_every_command(capi):
    result = capi("--help")
    assert result.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout.decode()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_needs_no_configuration(capi, name):
    result = capi("--config", "nowhere.toml", name, "--help")
    assert result.returncode == 0
    assert max(len(line) for line in result.stdout.decode().splitlines()) <= 80


def test_the_version_is_told(capi):
    assert capi_plugins.__version__.encode() in capi("--version").stdout


def test_configuration_may_come_from_the_environment(capi, config):
    assert capi("plugins", CAPI_CONFIG=str(config())).returncode == 0


def test_the_dictionary_may_stand_at_the_top_or_below_capi(capi, tmp_path):
    for text in ("ENABLED = false", "[CAPI]\nENABLED = false\n[other]\nx = 1"):
        (tmp_path / "some.toml").write_text(text)
        result = capi("--config", "some.toml", "check")
        assert b"CAPI['ENABLED'] is False" in result.stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "cannot be read: No such file"),
        ("DESTINATIONS = [", "is not TOML"),
        ("CAPI = 1", "CAPI must be a table"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_one_line(capi, tmp_path, text, told):
    if text is not None:
        (tmp_path / "some.toml").write_text(text)
    result = capi("--config", "some.toml", "plugins")
    assert result.returncode == 2
    assert told in result.stderr.decode()
    assert len(result.stderr.splitlines()) == 1


def test_mistakes_are_told_all_at_once_one_on_each_line(capi, tmp_path):
    (tmp_path / "bad.toml").write_text("PAGE_VEW = true\nTRIGERS = []\n")
    result = capi("--config", "bad.toml", "payload")
    assert result.returncode == 2
    assert [line.split(" is ")[0] for line in result.stderr.decode().splitlines()] == [
        "Error: CAPI['PAGE_VEW']",
        "Error: CAPI['TRIGERS']",
    ]


def test_a_plugin_of_the_project_is_found_in_the_current_folder(capi, tmp_path):
    (tmp_path / "own_plugin.py").write_text(
        "from capi_plugins import hookimpl\n\n"
        "@hookimpl\ndef capi_enrich(event, context):\n    return None\n"
    )
    (tmp_path / "some.toml").write_text("PLUGINS = ['own_plugin']\nAUTOLOAD = false\n")
    result = capi("--config", "some.toml", "plugins", "--json")
    first, *_ = json.loads(result.stdout)["plugins"]
    assert first == {
        "name": "own_plugin",
        "source": "settings",
        "version": None,
        "hooks": ["capi_enrich"],
    }
    triggers = json.loads(result.stdout)["triggers"]
    assert triggers[0]["event"] == "PageView"


def test_plugins_and_triggers_are_shown_as_tables(capi, config):
    more = """
    [[CAPI.TRIGGERS]]
    ON = "model"
    MODEL = "orders.Order"
    CHANGED = {paid = true}
    EVENT = "Purchase"
    """
    result = capi("--config", config(more=more), "plugins")
    assert b"orders.Order when paid = True" in result.stdout
    assert b"CAPI['TRIGGERS'][0]" in result.stdout
    assert max(len(line) for line in result.stdout.decode().splitlines()) <= 80


def test_without_the_extra_one_line_says_what_to_install(tmp_path):
    code = (
        "import sys\n"
        "sys.modules['rich'] = sys.modules['click'] = None\n"
        "from importlib import util\n"
        "found = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name in ('click', 'rich') else found(name)\n"
        "from capi_plugins.cli import main\n"
        "sys.exit(main())\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert result.returncode == 2
    assert result.stderr.decode() == f"{INSTALL}\n"


def test_an_adapter_without_a_door_is_told_so():
    from capi_plugins.cli.group import group

    result = CliRunner().invoke(group, ["plugins"])
    assert isinstance(result.exception, RuntimeError)
    assert "Door" in str(result.exception)


def test_a_sandbox_prints_the_settings_to_paste_and_ends_on_ctrl_c(start):
    import signal

    process = start("sandbox", "--port=0", "--dataset=77", "--token=abc")
    told = b""
    while b"Ctrl-C" not in told:
        told += process.stdout.readline()
    assert b'"DATASET_ID": "77"' in told
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0


def test_a_sandbox_whose_port_is_taken_says_so(capi):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = capi("sandbox", "--port", taken.getsockname()[1])
    assert result.returncode == 1
    assert b"--port" in result.stdout + result.stderr

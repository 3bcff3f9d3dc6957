"""The rules of how modules may import each other, read from the sources with ``ast``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.repository

ROOT = Path(__file__).parents[2]
CORE = ROOT / "capi_plugins"
ADAPTERS = {
    "capi_django": ROOT / "integrations/django/capi_django",
    "capi_flask": ROOT / "integrations/flask/capi_flask",
    "capi_pytest": ROOT / "integrations/pytest/capi_pytest",
}
FRAMEWORKS = {
    *"django asgiref flask flask_login flask_sqlalchemy sqlalchemy starlette fastapi".split(),
    *"rest_framework allauth oscar wagtail".split(),
}
# Werkzeug serves the sandbox; click and rich are what the commands are made of.
COMMANDS = {"cli", "sandbox"}


def modules(folder, package):
    """Every module below a folder: (dotted name, path)."""
    for path in sorted(folder.rglob("*.py")):
        parts = list(path.relative_to(folder).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        yield ".".join([package, *parts]), path


CORE_MODULES = dict(modules(CORE, "capi_plugins"))
ADAPTER_MODULES = {
    name: path for package, folder in ADAPTERS.items() for name, path in modules(folder, package)
}
ALL_MODULES = CORE_MODULES | ADAPTER_MODULES


def imports(path, *, typing=True):
    """The dotted names a module imports, those inside functions included.

    Args:
        path: The module.
        typing: Whether imports below ``if TYPE_CHECKING`` count.
    """
    tree = ast.parse(path.read_text())
    skipped = set()
    if not typing:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                skipped.update(child for part in node.body for child in ast.walk(part))
    found = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a name comes from"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                # ``from package import module`` imports the module.
                found.add(whole if whole in ALL_MODULES else node.module)
    return found


def top(name):
    return name.split(".")[0]


def private(name):
    return any(part.startswith("_") and part != "__main__" for part in name.split("."))


def offenders(found, wrong):
    return {name: bad for name, used in found.items() if (bad := {u for u in used if wrong(u)})}


def test_the_core_imports_no_framework():
    found = {name: imports(path) for name, path in CORE_MODULES.items()}
    assert offenders(found, lambda used: top(used) in FRAMEWORKS | set(ADAPTERS)) == {}


def test_click_rich_and_werkzeug_are_for_the_commands():
    found = {
        name: imports(path)
        for name, path in CORE_MODULES.items()
        if name.split(".")[1:2] not in [[part] for part in COMMANDS]
    }
    assert offenders(found, lambda used: top(used) in {"click", "rich", "werkzeug"}) == {}


def test_adapters_import_public_modules_of_the_core_and_never_each_other():
    for name, path in ADAPTER_MODULES.items():
        for used in imports(path):
            others = set(ADAPTERS) - {top(name)}
            assert top(used) not in others, f"{name} imports {used}"
            if top(used) == "capi_plugins":
                assert not private(used), f"{name} imports {used}, the engine room"


PLUGINS = ("builtin", "destinations", "sources", "segment", "insight")


def test_what_ships_as_a_plugin_imports_what_a_plugin_may_import():
    found = {
        name: imports(path)
        for name, path in CORE_MODULES.items()
        if name.split(".")[1:2] and name.split(".")[1] in PLUGINS
    }
    assert found
    own = offenders(found, lambda used: top(used) == "capi_plugins" and private(used))
    assert own == {}


def test_public_modules_of_the_core_import_no_private_ones():
    found = {
        name: imports(path, typing=False)
        for name, path in CORE_MODULES.items()
        if not private(name)
        and name != "capi_plugins"
        and name.split(".")[1] not in (*PLUGINS, *COMMANDS)
    }
    assert offenders(found, lambda used: used.startswith("capi_plugins._")) == {}


@pytest.mark.parametrize(
    ("library", "doors"),
    [
        ("httpx", {"capi_plugins.builtin.http"}),
        ("httpcore", {"capi_plugins.builtin.http"}),
        ("celery", {"capi_plugins.celery_nudge"}),
        ("kombu", {"capi_plugins.celery_nudge"}),
        ("django_tasks", {"capi_django.tasks_nudge"}),
        ("pluggy", {"capi_plugins.hookspecs", "capi_plugins._plugins"}),
        ("blinker", {"capi_plugins.signals", "capi_flask.signals"}),
        ("waitress", {"capi_plugins.cli.serve_command"}),
    ],
)
def test_a_library_has_one_door(library, doors):
    users = {
        name
        for name, path in ALL_MODULES.items()
        if library in {top(used) for used in imports(path)}
    }
    assert users <= doors


LAYERS = [
    {
        "version",
        "exceptions",
        "leaving",
        "background",
        "forks",
        "event_data",
        "events",
        "consent",
        "client_address",
        "section",
    },
    {"delivery_settings"},
    {
        "browser",
        "site",
        "context",
        "signals",
        "settings",
        "place_settings",
        "toml_file",
        "journal",
        "_money",
        "_paths",
        "_place",
        "sending_off",
        "trigger_rules",
        "http_context",
        "request_owner",
        "rate",
    },
    {"context_store"},
    {"held_store", "_visitors"},
    {"outbox.base"},
    {"hookspecs", "destinations.base", "sources.base"},
    {
        "destinations",
        "sources",
        "segment",
        "outbox",
        "builtin",
        "insight",
        "celery_nudge",
        "bridge",
        "collecting",
        "host_answer",
        "nudging",
        "receiving",
    },
    {
        "_conditions",
        "_discovery",
        "_implementation",
        "_outbox_choice",
        "_plugins",
        "_triggers",
        "_retry",
    },
    {"_subjects"},
    {"_once", "_trouble"},
    {
        "_pipeline",
        "_browser",
        "_standings",
        "_exchanging",
        "_sending",
        "_worker",
        "_removing",
        "_scope",
        "_kept",
    },
    {"_delivery"},
    {"_restoring", "_remembering", "_holding"},
    {"_capturing", "_receiving"},
    {"_building"},
    {"_noting", "_shutdown"},
    {"_client"},
    {"_configure"},
    {""},
    {"cli", "sandbox", "testing", "wsgi"},
]


def layer(name):
    """The layer of a module of the core: that of its longest prefix."""
    inside = name.removeprefix("capi_plugins").removeprefix(".")
    while True:
        for number, names in enumerate(LAYERS):
            if inside in names:
                return number
        assert inside, name
        inside = inside.rpartition(".")[0]
        # A module nobody placed belongs nowhere.
        assert inside, f"{name} has no layer: add it to LAYERS"


def test_imports_go_downwards_only():
    upwards = []
    for name, path in CORE_MODULES.items():
        for used in imports(path, typing=False):
            if top(used) != "capi_plugins" or used == name:
                continue
            if used == "capi_plugins" and name.split(".")[1:2] in (
                ["cli"],
                ["sandbox"],
                ["testing"],
            ):
                continue
            same = name.split(".")[1:2] == used.split(".")[1:2]
            if layer(used) > layer(name) and not same:
                upwards.append(f"{name} imports {used}")
    assert upwards == []


def test_a_module_is_no_longer_than_400_lines():
    long = {
        name: lines
        for name, path in ALL_MODULES.items()
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


@pytest.mark.parametrize("name", ["utils", "util", "helpers", "common", "misc", "tools"])
def test_no_module_is_a_drawer(name):
    assert [module for module in ALL_MODULES if name in module.replace("_", ".").split(".")] == []


def test_no_folder_shadows_a_framework():
    for path in (
        "integrations",
        "integrations/django",
        "integrations/flask",
        "integrations/pytest",
    ):
        assert not (ROOT / path / "__init__.py").exists()
    assert not (ROOT / "tests/django").exists()
    assert not (ROOT / "tests/flask").exists()


def test_every_module_says_what_it_is_and_delays_its_annotations():
    for name, path in ALL_MODULES.items():
        tree = ast.parse(path.read_text())
        if not tree.body:
            continue
        assert ast.get_docstring(tree), f"{name} has no docstring"
        if any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in tree.body):
            assert "from __future__ import annotations" in path.read_text(), name


def test_every_all_is_sorted_and_true():
    for name, path in ALL_MODULES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                listed = ast.literal_eval(node.value)
                assert len(listed) == len(set(listed)), name
                assert list(listed) == sorted(listed), f"__all__ of {name} is not sorted"


def test_loggers_are_named_after_their_area():
    for name, path in ALL_MODULES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_log":
                (argument,) = node.value.args
                assert isinstance(argument, ast.Constant), f"{name}: the name is no literal"
                assert top(argument.value) in {"capi_plugins", *ADAPTERS}, name

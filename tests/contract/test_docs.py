"""The documentation says what the code does: names, arguments, links and examples."""

from __future__ import annotations

import ast
import inspect
import re
import types
from pathlib import Path

import pytest

import capi_plugins
from capi_plugins import Client, Event, configure, hookspecs, signals
from capi_plugins._triggers import parse_trigger
from capi_plugins.settings import Section, Settings
from tests.core.paper import Post, paper_client

pytestmark = pytest.mark.repository

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
PAGES += sorted(ROOT.glob("integrations/*/README.md"))
TESTS = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")))
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def page(name):
    return (DOCS / name).read_text()


def headings(text):
    return re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)


def blocks(text, language="python"):
    return [code for found, code in FENCE.findall(text) if found == language]


def rows(text):
    """The names in the first column of the tables."""
    return set(re.findall(r"^\| `\"?([^`\"]+)\"?`", text, re.MULTILINE))


HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("capi_"))
SIGNALS = sorted(name for name in vars(signals) if hasattr(getattr(signals, name), "receivers_for"))
SIGNALS = [name for name in SIGNALS if name.islower()]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_a_heading_with_its_arguments(name):
    arguments = ", ".join(inspect.signature(getattr(hookspecs, name)).parameters)
    assert f"{name}({arguments})" in headings(page("hooks.md"))


def test_no_hook_is_documented_that_does_not_exist():
    found = [line.split("(")[0] for line in headings(page("hooks.md")) if line.startswith("capi_")]
    assert sorted(found) == HOOKS


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_says_what_happens_if_it_raises(name):
    text = page("hooks.md")
    section = re.split(rf"^## {name}\(.*$", text, flags=re.MULTILINE)[1].split("\n## ")[0]
    assert "raise" in section
    assert "**If" in section
    assert blocks(section), f"{name} has no example"


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_has_a_heading_with_its_arguments(name):
    told = getattr(signals, name).__doc__.split("Arguments:")[1]
    told = re.sub(r"\([^)]*\)", "", told)
    arguments = ", ".join(re.findall(r"``(\w+)``", told))
    assert f"{name}({arguments})" in headings(page("signals.md"))


@pytest.mark.parametrize("name", [*HOOKS, *SIGNALS])
def test_every_hook_and_signal_is_named_in_a_test(name):
    assert name in TESTS.replace("HOOKS", "")


def asked(monkeypatch):
    """Every key that reading settings and triggers asks for, by the place it is in."""
    found: dict[str, set[str]] = {}
    done = Section.done

    def noting(self):
        found.setdefault(self.path, set()).update(self._taken)
        done(self)

    monkeypatch.setattr(Section, "done", noting)
    Settings.read({"DESTINATIONS": {"x": {}}}, [])
    for kind in ("signal", "model", "request"):
        parse_trigger({"ON": kind}, kind, [])
    return found


def test_every_setting_has_a_row_and_a_test(monkeypatch):
    found = asked(monkeypatch)
    settings = rows(page("settings.md"))
    triggers = rows(page("triggers.md"))
    assert {"CAPI", "CAPI['DELIVERY']", "signal", "model", "request"} <= set(found)
    for place, keys in found.items():
        documented = settings if place.startswith("CAPI") else triggers
        for key in keys:
            assert key in documented, f"{place}[{key!r}] has no row"
            assert f'"{key}"' in TESTS or f"{key}=" in TESTS, f"{place}[{key!r}] has no test"


def test_no_setting_is_documented_that_does_not_exist(monkeypatch):
    found = asked(monkeypatch)
    known = set().union(*found.values()) | {"KIND", "EVENTS"}
    written = set(rows(page("settings.md")) | rows(page("triggers.md")))
    assert {name for name in written if name.isupper()} <= known


def test_every_command_has_a_heading_and_a_test():
    group = pytest.importorskip("capi_plugins.cli.group").group
    found = {line.split(" ")[0].strip("`") for line in headings(page("commands.md"))}
    for name in group.commands:
        assert name in found, name
        assert f'"{name}"' in TESTS, name


@pytest.mark.parametrize("name", capi_plugins.__all__)
def test_every_public_name_is_documented(name):
    assert f"`{name}`" in page("index.md")
    assert hasattr(capi_plugins, name)


def test_no_public_name_is_documented_that_does_not_exist():
    table = page("index.md").split("## The public names")[1]
    names = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert names == set(capi_plugins.__all__)


def test_the_methods_of_the_client_are_documented():
    (line,) = [line for line in page("index.md").splitlines() if line.startswith("| `Client`")]
    for name in re.findall(r"`(\w+)`", line)[1:]:
        assert hasattr(Client, name) or name == "triggers", name


# ------------------------------------------------------------------ links


def anchors(text):
    """The anchors GitHub gives to headings."""
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in headings(text)}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", path.read_text())):
        if re.match(r"\w+:", target):
            assert target.startswith("https://"), target
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.exists(), f"{target} does not exist"
        if anchor:
            assert anchor in anchors(found.read_text()), f"{target} has no such heading"


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_every_page_can_be_found_from_the_index(path):
    if path.name != "index.md":
        assert f"({path.name}" in page("index.md")


# ------------------------------------------------------------------ examples


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_in_the_documentation_parses(path):
    for code in blocks(path.read_text()):
        # An excerpt of a dictionary, such as one setting, is shown without its braces.
        ast.parse(f"{{{code}}}" if code.startswith('"') else code)


def executed(code, name="example"):
    module = types.ModuleType(name)
    exec(compile(code, name, "exec"), module.__dict__)
    return module


OWN = ["index.md", "settings.md", "triggers.md", "hooks.md", "signals.md", "delivery.md"]
EXAMPLES = [
    pytest.param(code, id=f"{name}-{number}")
    for name in OWN
    for number, code in enumerate(blocks((DOCS / name).read_text()))
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples_run(code, monkeypatch):
    monkeypatch.setenv("META_TOKEN", "EAAB")
    module = executed(code)
    if hasattr(module, "CAPI"):
        problems = []
        Settings.read({"CONSENT": {"DEFAULT": "denied"}, **module.CAPI}, problems)
        assert problems == []
        plugins = [] if "shop.capi" in module.CAPI.get("PLUGINS", []) else None
        if plugins is None:
            configure({"AUTOLOAD": False, **module.CAPI}, environ={}).close(0)
    for number, trigger in enumerate(getattr(module, "TRIGGERS", [])):
        problems = []
        parse_trigger(trigger, f"TRIGGERS[{number}]", problems)
        assert problems == []


@pytest.mark.parametrize(
    "code", [pytest.param(code, id=str(n)) for n, code in enumerate(blocks(page("hooks.md")))]
)
def test_the_plugins_of_the_hooks_page_work(code, heard_failures):
    module = executed(code)
    plugin = getattr(module, "plugin", module)
    if not any(hasattr(plugin, hook) for hook in HOOKS):
        return
    post = Post()
    client = paper_client(post, plugin, PLUGIN_OPTIONS={"crm": {"URL": "https://crm.example"}})
    client.track("Lead", event_id="1", user_data={"external_id": "c7"})
    client.capture(Event.from_dict({"event_name": "Lead", "custom_data": {"tenant": "north"}}))
    client.close(0)
    assert heard_failures == []
    assert post.events


@pytest.fixture
def heard_failures():
    failures = []

    def receiver(sender, **told):
        failures.append(told)

    signals.plugin_failed.connect(receiver)
    yield failures
    signals.plugin_failed.disconnect(receiver)


def test_the_messages_on_the_settings_page_are_those_of_the_code():
    (shown,) = blocks(page("settings.md"), "text")
    with pytest.raises(capi_plugins.ConfigurationError) as caught:
        configure(
            {
                "DESTINATIONS": {"meta": {"ACESS_TOKEN": "x"}},
                "CONSENT": {},
                "DELIVERY": {"BATCH_SIZE": 5000},
            },
            environ={"CAPI_META_ACCESS_TOKEN": "x"},
        )
    assert sorted(caught.value.problems) == sorted(shown.strip().splitlines())

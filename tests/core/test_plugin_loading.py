from __future__ import annotations

import textwrap
import types

import pytest

from capi_plugins import ConfigurationError, PluginError, configure, hookimpl
from capi_plugins.hookspecs import PROJECT
from tests.core.paper import Post, paper_settings


def plugin(name, calls, **options):
    """A plugin that notes in ``calls`` when it is asked to enrich."""

    class Named:
        __name__ = name

        @hookimpl(**options)
        def capi_enrich(self, event):
            calls.append(name)

    return Named()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a tiny distribution: a module, its metadata and its entry points."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(module, code, *names, version="1.2"):
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(code))
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: {version}")
        lines = [f"{name} = {module}{attribute}" for name, attribute in names]
        (info / "entry_points.txt").write_text("\n".join([f"[{PROJECT}]", *lines]))

    return install


NOTING = """
from capi_plugins import hookimpl

calls = []

class Noting:
    def __init__(self, name):
        self.name = name

    @hookimpl
    def capi_enrich(self, event):
        calls.append(self.name)

first, second = Noting("first"), Noting("second")

@hookimpl
def capi_enrich(event):
    calls.append("module")
"""


def test_order_is_settings_as_listed_then_installed_by_name_then_built_in(make, install):
    install("order_plugins", NOTING, ("zulu", ":first"), ("alpha", ":second"))
    import order_plugins

    calls = order_plugins.calls
    builtin = plugin("built-in", calls)
    client = make(
        plugin("one", calls),
        plugin("two", calls),
        AUTOLOAD=True,
        options={"recipes": {"of_adapter": builtin}},
    )
    client.track("Lead")
    assert calls == ["one", "two", "second", "first", "built-in"]
    loaded = client.plugins.loaded()
    names = [item.name for item in loaded]
    assert names[:5] == ["one", "two", "Post", "alpha", "zulu"]
    assert names[5] == "of_adapter"
    assert [item.source for item in loaded[:6]] == ["settings"] * 3 + ["installed"] * 2 + [
        "built-in"
    ]
    assert (loaded[3].version, loaded[3].hooks) == ("1.2", ("capi_enrich",))
    assert loaded[0].version is None


def test_tryfirst_and_trylast_move_an_implementation(make):
    calls = []
    client = make(
        plugin("last", calls, trylast=True),
        plugin("one", calls),
        plugin("two", calls),
        plugin("first", calls, tryfirst=True),
    )
    client.track("Lead")
    assert calls == ["first", "one", "two", "last"]


def test_a_plugin_may_be_a_module_an_object_or_the_dotted_path_of_either(make, install):
    install("path_plugins", NOTING)
    import path_plugins

    client = make("path_plugins", "path_plugins.first", path_plugins.second)
    client.track("Lead")
    assert path_plugins.calls == ["module", "first", "second"]
    assert [item.name for item in client.plugins.loaded()[:3]] == [
        "path_plugins",
        "path_plugins.first",
        "Noting",
    ]


def test_a_plugin_named_twice_is_asked_once(make, install):
    install("twice_plugins", NOTING, ("twice", ""))
    client = make("twice_plugins", "twice_plugins", AUTOLOAD=True)
    import twice_plugins

    client.track("Lead")
    assert twice_plugins.calls == ["module"]


def test_two_objects_of_one_class_are_two_plugins(make):
    class Shop:
        def __init__(self, calls):
            self.calls = calls

        @hookimpl
        def capi_enrich(self, event):
            self.calls.append(1)

    one, two = [], []
    client = make(Shop(one), Shop(two))
    client.track("Lead")
    assert (one, two) == ([1], [1])
    assert [item.name for item in client.plugins.loaded()[:2]] == ["Shop", "Shop#2"]


def test_an_installed_plugin_cannot_take_the_name_of_another(make, install):
    install("thief_plugins", NOTING, ("http", ":first"))
    with pytest.raises(PluginError, match="two plugins are called 'http'"):
        make(AUTOLOAD=True)


def test_without_autoload_nothing_installed_is_imported(make, install):
    install("broken_plugins", "raise RuntimeError('boom')", ("broken", ""))
    make(AUTOLOAD=False)


def test_an_installed_plugin_that_cannot_be_imported_stops_the_start(make, install):
    install("broken_plugins", "raise RuntimeError('boom')", ("broken", ""))
    with pytest.raises(PluginError) as caught:
        make(AUTOLOAD=True)
    assert str(caught.value) == (
        "installed plugin 'broken' (broken_plugins) cannot be imported: boom; "
        "repair or uninstall it, or add it to CAPI['DISABLED_PLUGINS']"
    )
    make(AUTOLOAD=True, DISABLED_PLUGINS=["broken"])


def test_a_disabled_plugin_is_not_asked(make, install):
    install("off_plugins", NOTING, ("off", ":first"), ("on", ":second"))
    client = make("off_plugins", AUTOLOAD=True, DISABLED_PLUGINS=["off", "off_plugins"])
    import off_plugins

    client.track("Lead")
    assert off_plugins.calls == ["second"]


def test_a_built_in_can_be_disabled(make):
    client = make(PAGE_VIEW=True, DISABLED_PLUGINS=["page_view"])
    assert "page_view" not in [item.name for item in client.plugins.loaded()]
    assert client.triggers.all == ()


def test_disabling_what_is_not_there_is_a_mistake(make):
    with pytest.raises(PluginError, match=r"'page_veiw', which is not a plugin; did you mean"):
        make(DISABLED_PLUGINS=["page_veiw"])


@pytest.mark.parametrize("path", ["no_such_module", "no_such.module", "os.no_such_name", "", ".x"])
def test_a_plugin_of_the_settings_that_cannot_be_imported_stops_the_start(path):
    raw = paper_settings(Post())
    raw["PLUGINS"].append(path)
    with pytest.raises(PluginError, match=r"CAPI\['PLUGINS'\]\[1\].*cannot be imported"):
        configure(raw, environ={})


def test_a_module_that_fails_inside_says_so(make, install):
    install("inner_plugins", "import no_such_dependency")
    with pytest.raises(PluginError, match="No module named 'no_such_dependency'"):
        make("inner_plugins")


def test_a_class_instead_of_an_object_is_asked_for_its_brackets(make):
    class Shop:
        @hookimpl
        def capi_enrich(self, event):
            """Nothing."""

    with pytest.raises(PluginError, match=r"'Shop' is a class.*have you forgotten the '\(\)'\?"):
        make(Shop)


def test_a_misspelt_hook_is_refused(make):
    class Shop:
        @hookimpl
        def capi_consnet(self, event):
            """Nothing."""

    with pytest.raises(PluginError, match=r"capi_consnet.*the hooks are capi_configure, capi_cons"):
        make(Shop())


def test_a_hook_without_its_mark_is_refused(make):
    class Shop:
        @hookimpl
        def capi_enrich(self, event):
            """Nothing."""

        def capi_consent(self, event):
            """Forgotten: this would never be asked."""

    with pytest.raises(PluginError, match="'Shop': capi_consent is not marked with @hookimpl"):
        make(Shop())


@pytest.mark.parametrize("thing", [5, object(), None, [], types.ModuleType("empty")])
def test_something_without_hooks_is_no_plugin(make, thing):
    with pytest.raises(PluginError, match="has no hooks"):
        make(thing)


def test_an_argument_no_hook_has_is_refused(make):
    class Shop:
        @hookimpl
        def capi_enrich(self, event, request):
            """Nothing."""

    with pytest.raises(PluginError, match=r"'Shop' cannot be used.*request"):
        make(Shop())


PER_EVENT = {
    "capi_route": "event, context, destinations",
    "capi_lookup_destination": "name",
    "capi_consent": "event, context, destination",
    "capi_enrich": "event, context",
    "capi_filter": "event, context, destination",
}
OTHERS = {
    "capi_configure": "settings",
    "capi_destination_types": "",
    "capi_sources": "",
    "capi_triggers": "settings",
    "capi_shutdown": "",
}


def module_with(code):
    made = types.ModuleType("shop_capi")
    exec(f"from capi_plugins import hookimpl\n{code}", made.__dict__)
    return made


@pytest.mark.parametrize(("hook", "arguments"), (PER_EVENT | OTHERS).items())
def test_async_hooks_are_refused(make, hook, arguments):
    code = f"@hookimpl\nasync def {hook}({arguments}): pass"
    with pytest.raises(PluginError, match=f"{hook} is 'async def'; hooks are plain functions"):
        make(module_with(code))


@pytest.mark.parametrize("hook", ["capi_send", *PER_EVENT])
def test_async_generators_are_refused(make, hook):
    code = f"@hookimpl\nasync def {hook}(): yield"
    with pytest.raises(PluginError, match="is 'async def'"):
        make(module_with(code))


@pytest.mark.parametrize(("hook", "arguments"), PER_EVENT.items())
def test_keyword_only_arguments_are_refused(make, hook, arguments):
    code = f"@hookimpl\ndef {hook}(*, {arguments}): pass"
    with pytest.raises(PluginError, match=r"keyword-only argument .*remove the '\*'"):
        make(module_with(code))


@pytest.mark.parametrize("option", ["wrapper", "hookwrapper"])
@pytest.mark.parametrize(("hook", "arguments"), (PER_EVENT | OTHERS).items())
def test_wrappers_are_for_capi_send_alone(make, hook, arguments, option):
    if hook == "capi_configure" and option == "wrapper":
        expected = "capi_configure"  # pluggy itself forbids wrappers of a historic hook
    else:
        expected = "is a wrapper; only capi_send may be wrapped|historic"
    code = f"@hookimpl({option}=True)\ndef {hook}({arguments}): yield"
    with pytest.raises(PluginError, match=expected):
        make(module_with(code))


def test_capi_send_may_be_wrapped(make, post):
    seen = []

    class Timing:
        @hookimpl(wrapper=True)
        def capi_send(self, request, destination):
            response = yield
            seen.append((destination.name, response.status))
            return response

    client = make(Timing())
    client.track("Lead")
    assert seen == [("paper", 200)]


def test_an_implementation_may_leave_out_arguments_and_order_them_as_it_likes(make, post):
    class Shop:
        @hookimpl
        def capi_enrich(self, context, event):
            assert context.in_request is False
            return event.fill(custom_data={"value": 5})

        @hookimpl
        def capi_filter(self):
            return None

    make(Shop()).track("Lead")
    assert post.events[0]["value"] == 5


def test_settings_reach_capi_configure_with_the_options_of_the_plugin(make):
    class Crm:
        url = None

        @hookimpl
        def capi_configure(self, settings):
            self.url = settings.options_for("crm")["URL"]

    crm = Crm()
    make(crm, PLUGIN_OPTIONS={"crm": {"URL": "https://crm.example"}})
    assert crm.url == "https://crm.example"


def test_a_plugin_may_complain_about_settings_together_with_everything_else(make):
    class Crm:
        @hookimpl
        def capi_configure(self, settings):
            raise ConfigurationError("CAPI['PLUGIN_OPTIONS']['crm']['URL'] is required")

    with pytest.raises(ConfigurationError) as caught:
        make(Crm(), PAGE_VIEW=5)
    assert caught.value.problems == (
        "CAPI['PAGE_VIEW'] must be bool, not int",
        "CAPI['PLUGIN_OPTIONS']['crm']['URL'] is required",
    )


def test_a_plugin_that_cannot_be_used_is_told_with_the_other_mistakes(make):
    with pytest.raises(ConfigurationError) as caught:
        make("no_such_module", PAGE_VIEW=5)
    assert len(caught.value.problems) == 2


def test_clients_have_plugins_of_their_own(make):
    one, two = [], []
    first, second = make(plugin("one", one)), make(plugin("two", two))
    first.track("Lead")
    assert (one, two) == (["one"], [])
    second.track("Lead")
    assert (one, two) == (["one"], ["two"])

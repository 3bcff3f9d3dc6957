from __future__ import annotations

import contextlib
import datetime
import decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capi_plugins import CapiError, ConfigurationError, configure
from capi_plugins.settings import (
    BrowserSettings,
    ConsentSettings,
    DeliverySettings,
    ExcludeSettings,
    Settings,
    suggest,
)
from tests.core.paper import Post, paper_client, paper_settings

SECRET = "EAAB-very-secret-token"


def problems(**settings_):
    """What is wrong with settings in which these keys differ from good ones."""
    with pytest.raises(ConfigurationError) as caught:
        paper_client(Post(), **settings_)
    return list(caught.value.problems)


def read(**raw):
    found: list[str] = []
    made = Settings.read({"CONSENT": {"DEFAULT": "denied"}, **raw}, found)
    assert found == []
    return made


def test_every_mistake_is_told_at_once_with_path_and_suggestion():
    found = problems(
        DESTINATIONS={"paper": {"TOKE": SECRET, "REGION": 5}, "fax": {}},
        CONSENT={"DEFALT": "granted", "SOURCES": ["onetrst"]},
        EXCLUDE={"staff": "yes", "paths": ["("]},
        PAGE_VIEW="on",
        TRIGGERS=[{"ON": "sginal"}, 5],
        RECIPES="none",
        USER_DATA={"e_mail": "email"},
        BROWSER={"PIXEL": 1},
        DELIVERY={"OUTBOX": "memry", "BATCH_SIZE": 5000, "WORKER": "thraed", "TIMEOUT": "10"},
        TRUSTED_PROXIES=-1,
        DISABLED_PLUGINS="all",
        PLUGIN_OPTIONS={"crm": 5},
        ENABLED="yes",
        DESTINATION={},
    )
    text = "\n".join(found)
    for expected in [
        "CAPI['DESTINATIONS']['paper']['TOKE'] is not a setting; did you mean 'TOKEN'?",
        "CAPI['DESTINATIONS']['paper']['REGION'] must be str, not int",
        "CAPI['DESTINATIONS']['paper']['TOKEN'] is required, or set CAPI_PAPER_TOKEN in the",
        "CAPI['DESTINATIONS']['fax']['KIND']: 'fax' is not a kind of destination",
        "CAPI['CONSENT']['DEFALT'] is not a setting; did you mean 'DEFAULT'?",
        "CAPI['CONSENT']['DEFAULT'] is required",
        "CAPI['CONSENT']['SOURCES'][0] 'onetrst' is not a consent source; did you mean 'onetrust'?",
        "CAPI['EXCLUDE']['staff'] must be bool, not str",
        "CAPI['EXCLUDE']['paths'][0] is not a regular expression",
        "CAPI['PAGE_VIEW'] must be bool, not str",
        "CAPI['TRIGGERS'][0]['ON'] must be one of 'signal', 'model', 'request'",
        "CAPI['TRIGGERS'][0]['EVENT'] is required",
        "CAPI['TRIGGERS'][1] must be a dictionary",
        "CAPI['RECIPES'] must be 'auto' or a list of recipe names",
        "CAPI['USER_DATA']['e_mail'] is not a field; did you mean 'email'?",
        "CAPI['BROWSER']['PIXEL'] must be bool, not int",
        "CAPI['DELIVERY']['OUTBOX']",
        "did you mean 'memory'?",
        "CAPI['DELIVERY']['BATCH_SIZE'] must be between 1 and 1000",
        "CAPI['DELIVERY']['WORKER'] must be one of 'thread', 'external', 'celery'",
        "CAPI['DELIVERY']['TIMEOUT'] must be int or float, not str",
        "CAPI['TRUSTED_PROXIES'] must be a count from 0",
        "CAPI['DISABLED_PLUGINS'] must be",
        "CAPI['PLUGIN_OPTIONS']['crm'] must be a dictionary",
        "CAPI['ENABLED'] must be bool, not str",
        "CAPI['DESTINATION'] is not a setting; did you mean 'DESTINATIONS'?",
    ]:
        assert expected in text, expected
    assert SECRET not in text


def test_the_defaults_are_those_of_the_documentation():
    made = read()
    assert made == Settings()
    assert made.exclude == ExcludeSettings(staff=True, bots=True, prefetch=True)
    assert made.delivery == DeliverySettings(
        outbox="auto", worker="thread", batch_size=200, max_attempts=8, timeout=10.0,
        exit_timeout=2.0, queue_size=10_000, queue_bytes=32_000_000,
    )  # fmt: skip
    assert made.consent == ConsentSettings(default="denied")
    assert (made.page_view, made.recipes, made.enabled, made.autoload) == (True, "auto", True, True)


def test_every_key_is_read():
    made = read(
        DESTINATIONS={"eu": {"KIND": "paper", "EVENTS": ["Lead"], "TOKEN": "x"}},
        CONSENT={"DEFAULT": "hold", "SOURCES": ["gpc", {"COOKIE": "c"}]},
        EXCLUDE={"STAFF": False, "bots": False, "paths": ["^/x"], "emails": ["a@example.com"]},
        PAGE_VIEW=False,
        TRIGGERS=[{"ON": "signal"}],
        RECIPES=["oscar"],
        USER_DATA={"email": "email"},
        BROWSER={"COOKIES": False, "PIXEL": True},
        DELIVERY={
            "OUTBOX": "memory", "WORKER": "external", "BATCH_SIZE": 1, "MAX_ATTEMPTS": 2,
            "TIMEOUT": 3, "EXIT_TIMEOUT": 0, "QUEUE_SIZE": 4, "QUEUE_BYTES": 10_000,
            "CELERY_APP": "shop.celery.app",
        },
        TRUSTED_PROXIES=["10.0.0.0/8"],
        PLUGINS=["a.b"],
        DISABLED_PLUGINS=["c"],
        AUTOLOAD=False,
        PLUGIN_OPTIONS={"crm": {"URL": "x"}},
        ENABLED=False,
    )  # fmt: skip
    destination = made.destinations["eu"]
    assert (destination.name, destination.kind) == ("eu", "paper")
    assert destination.events == {"Lead"}
    assert destination.options == {"TOKEN": "x"}
    assert made.consent == ConsentSettings(default="hold", sources=("gpc", {"COOKIE": "c"}))
    assert (made.exclude.staff, made.exclude.bots) == (False, False)
    assert [pattern.pattern for pattern in made.exclude.paths] == ["^/x"]
    assert made.exclude.emails == ("a@example.com",)
    assert made.page_view is False
    assert made.triggers == ({"ON": "signal"},)
    assert made.recipes == ("oscar",)
    assert made.user_data == {"email": "email"}
    assert made.browser == BrowserSettings(cookies=False, pixel=True)
    assert made.delivery == DeliverySettings(
        outbox="memory", worker="external", batch_size=1, max_attempts=2, timeout=3.0,
        exit_timeout=0.0, queue_size=4, queue_bytes=10_000, celery_app="shop.celery.app",
    )  # fmt: skip
    assert made.trusted_proxies == ("10.0.0.0/8",)
    assert made.plugins == ("a.b",)
    assert made.disabled_plugins == {"c"}
    assert (made.autoload, made.enabled) == (False, False)
    assert made.options_for("crm") == {"URL": "x"}
    assert made.options_for("other") == {}


def test_the_kind_defaults_to_the_name_of_the_destination():
    assert read(DESTINATIONS={"meta": {}}).destinations["meta"].kind == "meta"


def test_consent_is_not_asked_for_where_nothing_can_be_sent():
    configure({}, environ={}).close(0)
    configure(None, environ={}).close(0)
    with pytest.raises(ConfigurationError, match="DEFAULT'] is required: say what holds"):
        paper_client(Post(), CONSENT={})


@pytest.mark.parametrize("default", ["Granted", "yes", ""])
def test_a_consent_default_is_one_of_three_words(default):
    (problem,) = problems(CONSENT={"DEFAULT": default})
    assert problem == "CAPI['CONSENT']['DEFAULT'] must be one of 'granted', 'denied', 'hold'"


@pytest.mark.parametrize("minutes", [0, -1, 1441])
def test_events_are_held_a_day_at_most(minutes):
    (problem,) = problems(CONSENT={"DEFAULT": "hold", "HOLD_MINUTES": minutes})
    assert problem == "CAPI['CONSENT']['HOLD_MINUTES'] must be between 1 and 1440"


def test_secrets_may_come_from_the_environment():
    raw = paper_settings(Post(), DESTINATIONS={"my-shop": {"KIND": "paper"}})
    client = configure(raw, environ={"CAPI_MY_SHOP_TOKEN": SECRET})
    assert client.destinations["my-shop"].options["TOKEN"] == SECRET
    client.close(0)


def test_settings_win_over_the_environment():
    raw = paper_settings(Post())
    client = configure(raw, environ={"CAPI_PAPER_TOKEN": SECRET})
    assert client.destinations["paper"].options["TOKEN"] == "t0ken"
    client.close(0)


def test_the_process_environment_is_read_by_default(monkeypatch):
    monkeypatch.setenv("CAPI_PAPER_TOKEN", SECRET)
    client = configure(paper_settings(Post(), DESTINATIONS={"paper": {}}))
    assert client.destinations["paper"].options["TOKEN"] == SECRET
    client.close(0)


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_option_counts_as_absent(empty):
    raw = paper_settings(Post(), DESTINATIONS={"paper": {"TOKEN": empty, "REGION": empty}})
    with pytest.raises(ConfigurationError, match=r"\['TOKEN'\] is required"):
        configure(raw, environ={})
    client = configure(raw, environ={"CAPI_PAPER_TOKEN": "x"})
    assert client.destinations["paper"].options == {"TOKEN": "x", "REGION": "eu", "SIZE": None}
    client.close(0)


def test_only_options_that_say_so_come_from_the_environment():
    raw = paper_settings(Post(), DESTINATIONS={"paper": {"TOKEN": "x"}})
    client = configure(raw, environ={"CAPI_PAPER_REGION": "us"})
    assert client.destinations["paper"].options["REGION"] == "eu"
    client.close(0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"DESTINATIONS": {"paper": SECRET}},
        {"DESTINATIONS": {"paper": {"TOKEN": [SECRET]}}},
        {"DESTINATIONS": {"paper": {"TOKEN": SECRET, "REGION": 5}}},
        {"DESTINATIONS": {"paper": {"TOKEN": SECRET, "KIND": 5}}},
        {"DESTINATIONS": SECRET},
        {"PLUGIN_OPTIONS": {"crm": SECRET}},
        {"DELIVERY": {"OUTBOX": f"redis://:{SECRET}@queue"}},
        {"DELIVERY": {"OUTBOX": f"redis://user:{SECRET}@queue.example/0"}},
        {"CONSENT": {"DEFAULT": SECRET}},
        {"ENABLED": SECRET},
    ],
)
def test_a_secret_is_never_part_of_a_message(wrong):
    assert SECRET not in "\n".join(problems(**wrong))


def test_reprs_hold_no_secret(make):
    client = make(
        DESTINATIONS={"paper": {"TOKEN": SECRET}}, PLUGIN_OPTIONS={"crm": {"PASSWORD": SECRET}}
    )
    for thing in (client, client.settings, client.destinations, client.plugins):
        assert SECRET not in repr(thing)


def test_an_outbox_that_cannot_be_imported_is_a_mistake():
    for path in ("no_such_module.Outbox", "os.no_such_name", ".x", "..x", "a..b", "os."):
        (problem,) = problems(DELIVERY={"OUTBOX": path})
        assert problem.startswith("CAPI['DELIVERY']['OUTBOX']"), problem


def test_an_outbox_must_be_something_to_call():
    (problem,) = problems(DELIVERY={"OUTBOX": "os.sep"})
    assert problem == "CAPI['DELIVERY']['OUTBOX'] names something that is no outbox"


def test_a_worker_elsewhere_needs_an_outbox_it_can_read():
    (problem,) = problems(DELIVERY={"OUTBOX": "memory", "WORKER": "external"})
    assert "needs an outbox that other processes can read" in problem


def test_a_recipe_nobody_offers_is_a_mistake():
    (problem,) = problems(RECIPES=["oscer"])
    assert problem.startswith("CAPI['RECIPES'] names 'oscer', which is not a recipe")


def test_the_error_is_one_sentence_a_line():
    error = ConfigurationError(["one", "two"])
    assert str(error) == "one\ntwo"
    assert ConfigurationError("one").problems == ("one",)


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("ACESS_TOKEN", ["ACCESS_TOKEN", "KIND"], "did you mean 'ACCESS_TOKEN'?"),
        ("access_token", ["ACCESS_TOKEN"], "did you mean 'ACCESS_TOKEN'?"),
        ("zzz", ["KIND", "EVENTS"], "known are EVENTS, KIND"),
        ("zzz", [], "none is known"),
    ],
)
def test_a_suggestion_is_the_nearest_name(name, known, expected):
    assert suggest(name, known) == expected


class Hostile:
    """Raises wherever it can, as broken objects in settings do."""

    def __str__(self):
        raise RuntimeError("no str")

    def __bool__(self):
        raise RuntimeError("no bool")

    def __eq__(self, other):
        raise RuntimeError("no eq")

    __hash__ = object.__hash__


KEYS = st.sampled_from(
    "DESTINATIONS CONSENT DEFAULT SOURCES EXCLUDE staff paths emails PAGE_VIEW TRIGGERS ON SIGNAL "
    "MODEL CHANGED CREATED ROUTE METHOD STATUS PATH TEMPLATE WHEN EVENT EVENT_ID EVENT_TIME "
    "USER_DATA CUSTOM_DATA EACH VALUE email value RECIPES BROWSER PIXEL DELIVERY OUTBOX WORKER "
    "BATCH_SIZE MAX_ATTEMPTS TIMEOUT EXIT_TIMEOUT QUEUE_SIZE QUEUE_BYTES TRUSTED_PROXIES "
    "DISABLED_PLUGINS AUTOLOAD PLUGIN_OPTIONS ENABLED paper KIND EVENTS TOKEN REGION SIZE".split()
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["signal", "model", "request", "paper", "auto", "granted", "a.b", "(", "a"])
    | st.binary(max_size=4)
    | st.decimals()
    | st.dates()
    | st.builds(object)
    | st.builds(Hostile)
    | st.sampled_from([datetime, decimal.Decimal, print, {1}, frozenset(["a"]), range(3)])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(KEYS | st.text(max_size=4) | st.integers() | st.none(), inner, max_size=4)
    ),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=6), KEYS, VALUES)
def test_any_value_anywhere_is_fine_or_a_configuration_error(raw, key, value):
    raw = {"AUTOLOAD": False, **raw, key: value}
    raw.pop("PLUGINS", None)
    if isinstance(raw.get("DESTINATIONS"), dict):
        raw["DESTINATIONS"].setdefault("paper", {"TOKEN": "x"})
    try:
        client = configure({"PLUGINS": [Post()], **raw}, environ={})
    except ConfigurationError as error:
        told = error.problems
    except CapiError as error:
        # A plugin that DISABLED_PLUGINS names and nobody has.
        told = [str(error)] if raw.get("DISABLED_PLUGINS") else []
    else:
        client.close(0)
        told = ["nothing"]
    assert told
    assert all(problem and "\n" not in problem for problem in told)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_any_value_as_settings_or_plugin_is_fine_or_an_error_of_ours(value):
    for raw in (value, {"PLUGINS": [value]}, {"PLUGINS": value}):
        try:
            configure(raw, environ={}).close(0)
        except CapiError:
            continue


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["DESTINATIONS", "paper", "KIND", "TOKEN"]), max_size=4), VALUES)
def test_any_option_of_a_destination_is_fine_or_a_configuration_error(keys, value):
    options = {"TOKEN": "x", **dict.fromkeys(keys, value)}
    with contextlib.suppress(ConfigurationError):
        paper_client(Post(), DESTINATIONS={"paper": options}).close(0)

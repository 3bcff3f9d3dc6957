"""Which triggers are in force: the host's and the recipes', and what they know of the user."""

from __future__ import annotations

import types

import pytest

from capi_plugins import ConfigurationError
from capi_plugins._triggers import parse_user_data
from capi_plugins.settings import Settings
from tests.core.paper import Post, paper_client
from tests.core.test_triggers import MODEL, REQUEST, SIGNAL


def test_user_data_paths_start_at_the_user(make):
    client = make(
        USER_DATA={"email": ["mail", "email"], "external_id": "pk", "country": {"VALUE": "de"}}
    )
    user = types.SimpleNamespace(email="a@example.com", pk=7)
    found = client.user_data(user)
    assert (found.email, found.external_id, found.country) == ("a@example.com", 7, "de")
    assert client.user_data(None).email is None
    assert client.user_data(None).country == "de"


def test_an_adapter_may_say_what_a_user_has(make):
    user = types.SimpleNamespace(email="a@example.com", name="Jane")
    options = {"user_data": {"email": "email"}}
    assert make(options=options).user_data(user).email == "a@example.com"
    other = make(options=options, USER_DATA={"first_name": "name"})
    assert other.user_data(user).email is None
    assert other.user_data(user).first_name == "Jane"


def test_a_user_that_breaks_has_no_match_keys(make):
    class User:
        @property
        def email(self):
            raise RuntimeError

    assert make(USER_DATA={"email": "email"}).user_data(User()).email is None


def test_user_data_mistakes_are_told():
    problems = []
    settings = Settings(user_data={"mail": "email", "phone": 5, "city": ""})
    parse_user_data(settings, problems)
    assert [problem.split("]: ")[0].split(" ")[0] for problem in problems] == [
        "CAPI['USER_DATA']['mail']",
        "CAPI['USER_DATA']['phone']",
        "CAPI['USER_DATA']['city']:" if "]: " not in problems[2] else "CAPI['USER_DATA']['city'",
    ]


def test_recipes_may_be_chosen_by_name(make):
    def recipe(name):
        offered = [{**SIGNAL, "EVENT": name}]
        return types.SimpleNamespace(__name__=name, capi_triggers=hook(lambda: offered))

    from capi_plugins import hookimpl

    def hook(function):
        return hookimpl(function)

    both = (recipe("oscar"), recipe("auth"))
    assert [item.event for item in make(*both).triggers.all] == ["oscar", "auth"]
    assert [item.event for item in make(*both, RECIPES=["auth"]).triggers.all] == ["auth"]
    assert make(*both, RECIPES=[]).triggers.all == ()
    kept = make(*both, RECIPES=[], PAGE_VIEW=True, TRIGGERS=[SIGNAL])
    assert [item.event for item in kept.triggers.all] == ["Purchase", "PageView"]


def test_a_wrong_trigger_in_settings_stops_the_start():
    with pytest.raises(ConfigurationError, match=r"CAPI\['TRIGGERS'\]\[1\]\['SIGNAL'\]"):
        paper_client(Post(), TRIGGERS=[SIGNAL, {"ON": "signal", "EVENT": "Lead"}])


def recipe(name, *offered):
    from capi_plugins import hookimpl

    return types.SimpleNamespace(
        __name__=name, capi_triggers=hookimpl(lambda settings: list(offered))
    )


@pytest.mark.parametrize(
    "mine",
    [SIGNAL, {**MODEL, "CHANGED": {"paid": True}}, {**REQUEST, "ROUTE": "cart:add"}],
    ids=["signal", "model", "request"],
)
def test_a_trigger_of_the_host_stands_in_for_the_recipes(make, mine):
    theirs = {**mine, "EVENT_ID": "order.pk"}
    other = {**theirs, "EVENT": "Lead"}
    made = make(recipe("shop", theirs, other), TRIGGERS=[{**mine, "EVENT_ID": "order.number"}])
    assert [(item.event, item.where) for item in made.triggers.all] == [
        (mine["EVENT"], "CAPI['TRIGGERS'][0]"),
        ("Lead", "shop[1]"),
    ]


def test_a_trigger_that_is_not_enabled_takes_the_recipes_away(make):
    off = {**SIGNAL, "ENABLED": False}
    made = make(recipe("shop", SIGNAL, {**SIGNAL, "EVENT": "Lead"}), TRIGGERS=[off])
    assert [item.event for item in made.triggers.all] == ["Lead"]


def test_a_trigger_for_any_page_stands_in_for_nothing(make):
    page = {**REQUEST, "EVENT": "PageView"}
    made = make(PAGE_VIEW=True, TRIGGERS=[{**page, "PATH": "^/shop"}])
    assert len(made.triggers.all) == 2


def test_recipes_of_an_adapter_are_chosen_with_all_their_hooks(make):
    from capi_plugins import configure, hookimpl

    class Shop:
        @hookimpl
        def capi_triggers(self):
            return [SIGNAL]

        @hookimpl
        def capi_enrich(self, event):
            return event

    def loaded(**settings):
        settings = {"AUTOLOAD": False, "PAGE_VIEW": False, **settings}
        client = configure(settings, recipes={"shop": Shop()})
        client.close()
        return [plugin.name for plugin in client.plugins.loaded()], len(client.triggers.all)

    assert loaded()[0][0] == "shop"
    assert loaded()[1] == 1
    assert "shop" not in loaded(RECIPES=[])[0]
    assert loaded(RECIPES=["shop"])[1] == 1
    with pytest.raises(ConfigurationError, match="did you mean 'shop'"):
        loaded(RECIPES=["shopp"])


def test_a_recipe_sees_what_is_read_of_a_user(make):
    from capi_plugins import configure, hookimpl

    class Accounts:
        @hookimpl
        def capi_triggers(self, settings):
            return [{**SIGNAL, "USER_DATA": settings.user_paths("user")}]

    def made(**settings):
        client = configure(
            {"AUTOLOAD": False, "PAGE_VIEW": False, **settings},
            recipes={"accounts": Accounts()},
            user_data={"email": "email"},
        )
        client.close()
        return client.triggers.all[0].build({"user": types.SimpleNamespace(email="a", mail="b")})

    assert made().user_data.email == "a"
    assert made(USER_DATA={"email": ["e_mail", "mail"]}).user_data.email == "b"

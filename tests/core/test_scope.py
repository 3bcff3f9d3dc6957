from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

from capi_plugins import Event, FinishedRequest, RequestContext, hookimpl

PURCHASE = {"ON": "request", "ROUTE": "pay", "EVENT": "Purchase"}


class Urls:
    """Writes the URL of the request into the event, to see whose context an event got."""

    @hookimpl
    def capi_enrich(self, event, context):
        return event.fill(event_source_url=context.url)


def context(url="https://shop.example/"):
    return RequestContext(url=url, method="GET")


def ended(route=None, status=200, **offer):
    return FinishedRequest(method="GET", route=route, path="/", status=status, offer=lambda: offer)


@contextlib.contextmanager
def request(client, url="https://shop.example/", **how):
    """A request as an adapter handles it."""
    with client.request(lambda: context(url)) as scope:
        yield scope
        client.finish(scope, ended(**how))


def seen(post):
    return [(event["name"], event["url"]) for event in post.events]


def test_an_event_is_captured_when_the_request_ends(make, post):
    client = make(Urls())
    with client.request(context) as scope:
        client.track("Lead")
        assert client.current_scope() is scope
        assert post.events == []
        client.finish(scope, ended())
        assert seen(post) == [("Lead", "https://shop.example/")]
    assert client.current_scope() is None


def test_an_event_outside_of_a_request_is_captured_at_once(make, post):
    make(Urls()).track("Lead")
    assert seen(post) == [("Lead", None)]


def test_the_time_of_an_event_is_when_it_was_tracked(make, post, clock):
    client = make(clock=clock)
    before = clock()
    with request(client):
        client.track("Lead")
        clock.advance(50)
    assert post.events[0]["time"] == before


def test_fields_are_read_at_the_end(make, post):
    client = make()
    order = {"total": None}
    with request(client):
        client.note(
            lambda: Event.from_dict(
                {"event_name": "Purchase", "custom_data": {"value": order["total"]}}
            )
        )
        order["total"] = 12
    assert post.events[0]["value"] == 12


def test_the_context_is_made_once_and_only_for_an_event(make, post):
    client = make()
    made = []

    def factory():
        made.append(1)
        return context()

    with client.request(factory) as scope:
        client.finish(scope, ended())
    assert made == []
    with client.request(factory) as scope:
        client.track("Lead")
        client.track("Purchase")
        client.finish(scope, ended())
    assert made == [1]


def test_a_context_that_cannot_be_made_costs_the_context(make, post, caplog):
    client = make(Urls())

    def factory():
        raise ValueError("jane@example.com")

    with client.request(factory) as scope:
        client.track("Lead")
        client.finish(scope, ended())
    assert seen(post) == [("Lead", None)]
    assert "context failed with ValueError at" in caplog.text
    assert "jane@example.com" not in caplog.text


def test_triggers_and_noted_events_leave_together(make, post):
    client = make(TRIGGERS=[PURCHASE])
    with request(client, route="pay"):
        client.track("Lead")
    assert [name for name, _ in seen(post)] == ["Lead", "Purchase"]


def test_a_request_that_failed_drops_its_request_triggers_and_keeps_what_was_tracked(make, post):
    client = make(TRIGGERS=[PURCHASE])
    with request(client, route="pay", status=500):
        client.track("Lead")
    assert [name for name, _ in seen(post)] == ["Lead"]


def test_a_request_that_failed_showed_nothing(make, post):
    failure = {"ON": "request", "ROUTE": "pay", "STATUS": 503, "EVENT": "FindLocation"}
    client = make(TRIGGERS=[failure])
    confirm = []
    with request(client, route="pay", status=503):
        client.track("ViewContent")
        client.track("Lead")
        client.note(lambda: Event(event_name="Search"), on_commit=confirm.append)
    confirm[0]()
    # What asks for the failure itself gets it.
    assert [name for name, _ in seen(post)] == ["Lead", "FindLocation"]
    with request(client, status=404):
        client.track("Search")
    assert [name for name, _ in seen(post)][2:] == ["Search"]


def test_finishing_twice_captures_once(make, post):
    client = make()
    with client.request(context) as scope:
        client.track("Lead")
        client.finish(scope, ended())
        client.finish(scope, ended())
    assert len(post.events) == 1


def test_what_was_confirmed_is_captured_even_if_nobody_finishes_the_request(make, post):
    client = make(Urls())
    with contextlib.suppress(KeyError), client.request(context):
        client.track("Lead")
        raise KeyError
    assert seen(post) == [("Lead", "https://shop.example/")]


# ------------------------------------------------------------------ transactions


class Transaction:
    """What a framework offers: functions to call when the transaction commits."""

    def __init__(self):
        self.hooks = []

    def __call__(self, function):
        self.hooks.append(function)

    def commit(self):
        for hook in self.hooks:
            hook()


def purchase():
    return Event(event_name="Purchase")


def test_an_event_waits_for_the_commit_and_the_end_of_the_request(make, post):
    client, transaction = make(Urls()), Transaction()
    with client.request(context) as scope:
        client.note(purchase, on_commit=transaction)
        transaction.commit()
        assert post.events == []
        client.finish(scope, ended())
    assert seen(post) == [("Purchase", "https://shop.example/")]


def test_a_rollback_forgets_the_event(make, post, heard):
    client, transaction = make(), Transaction()
    with request(client):
        client.note(purchase, on_commit=transaction)
    assert post.events == []
    assert heard == []


def test_a_commit_after_the_request_still_has_its_context(make, post):
    client, transaction = make(Urls()), Transaction()
    with request(client, url="https://shop.example/pay"):
        client.note(purchase, on_commit=transaction)
    assert post.events == []
    with request(client, url="https://shop.example/other"):
        transaction.commit()
        assert seen(post) == [("Purchase", "https://shop.example/pay")]
    assert len(post.events) == 1


def test_outside_of_a_request_the_event_is_read_after_the_commit(make, post):
    client, transaction = make(), Transaction()
    client.note(purchase, on_commit=transaction)
    assert post.events == []
    transaction.commit()
    assert len(post.events) == 1


def test_a_framework_without_transaction_may_call_back_at_once(make, post):
    client = make()
    client.note(purchase, on_commit=lambda function: function())
    with request(client):
        client.note(purchase, on_commit=lambda function: function())
        assert len(post.events) == 1
    assert len(post.events) == 2


# ------------------------------------------------------------------ who is who


def test_requests_may_be_nested(make, post):
    client = make(Urls())
    with request(client, url="https://outer"):
        client.track("Outer")
        with request(client, url="https://inner"):
            client.track("Inner")
        client.track("Outer again")
    assert seen(post) == [
        ("Inner", "https://inner"),
        ("Outer", "https://outer"),
        ("Outer again", "https://outer"),
    ]


def test_clients_do_not_take_each_others_events(make, post):
    one, two = make(Urls()), make(Urls())
    with one.request(context) as scope:
        two.track("Lead")
        assert seen(post) == [("Lead", None)]
        assert two.current_scope() is None
        one.finish(scope, ended())
    assert len(post.events) == 1


def test_threads_never_mix(make, post):
    client = make(Urls())
    barrier = threading.Barrier(8, timeout=30)

    def visit(number):
        with request(client, url=f"https://{number}"):
            barrier.wait()
            client.track("Lead", event_id=str(number))
            barrier.wait()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(visit, range(8)))
    assert {(event["id"], event["url"]) for event in post.events} == {
        (str(number), f"https://{number}") for number in range(8)
    }


def test_tasks_never_mix(make, post):
    client = make(Urls())

    async def visit(number, ready):
        with request(client, url=f"https://{number}"):
            await ready.wait()
            client.track("Lead", event_id=str(number))
            await asyncio.sleep(0)

    async def serve():
        ready = asyncio.Barrier(50)
        await asyncio.gather(*(visit(number, ready) for number in range(50)))

    asyncio.run(serve())
    assert {(event["id"], event["url"]) for event in post.events} == {
        (str(number), f"https://{number}") for number in range(50)
    }


def test_a_task_that_outlives_its_request_is_outside_of_it(make, post):
    client = make(Urls())

    async def serve():
        over = asyncio.Event()

        async def background():
            await over.wait()
            client.track("Late")

        with request(client):
            task = asyncio.create_task(background())
            client.track("Lead")
        over.set()
        await task

    asyncio.run(serve())
    assert seen(post) == [("Lead", "https://shop.example/"), ("Late", None)]


def test_a_request_may_end_in_another_context_than_it_began(make, post):
    client = make()
    opened = client.request(context)
    scope = contextvars.copy_context().run(opened.__enter__)
    client.finish(scope, ended())
    opened.__exit__(None, None, None)


def test_a_request_has_a_most_of_events(make, post, heard):
    client = make()
    with request(client):
        for number in range(130):
            client.track("Lead", event_id=str(number))
    assert len(post.events) == 100
    reasons = {told["reason"] for name, told in heard if name == "event_dropped"}
    assert reasons == {"more than 100 events in one request"}

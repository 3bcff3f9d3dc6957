"""Model triggers: rows that are created, and rows that change to something."""

from __future__ import annotations

import pytest
from bookshop.models import Line, Order, PhoneOrder, Ticket, Voucher
from django.contrib.auth.models import User
from django.core import serializers
from django.db import connection
from django.db.models.signals import post_save, pre_save
from django.test.utils import CaptureQueriesContext

pytestmark = pytest.mark.django_db(transaction=True)

PAID = {
    "ON": "model",
    "MODEL": "bookshop.Order",
    "CHANGED": {"paid": True},
    "EVENT": "Purchase",
    "EVENT_ID": "instance.number",
    "CUSTOM_DATA": {"value": "instance.total", "currency": {"VALUE": "EUR"}},
}
CREATED = {"ON": "model", "MODEL": "bookshop.Line", "EVENT": "AddToCart"}


@pytest.fixture
def order():
    return Order.objects.create(number="A1", total="20.00")


def test_a_change_to_the_value_makes_an_event(configure, recorder, order):
    configure(PAID)
    order.paid = True
    order.save()
    (event,) = recorder.events
    assert event.event_id == "Purchase.A1"
    assert event.custom_data.value == "20.00"


def test_the_values_before_are_offered(configure, recorder, order):
    configure({**PAID, "CHANGED": {"status": "shipped"}, "WHEN": {"old.status": ["new", "packed"]}})
    for before, number in (("new", "A2"), ("lost", "A3")):
        other = Order.objects.create(number=number, status=before)
        other.status = "shipped"
        other.save()
    Order.objects.create(number="A4", status="shipped")
    assert [event.event_id for event in recorder.events] == ["Purchase.A2"]


def test_other_columns_are_offered_as_they_were_where_a_path_asks_for_them(
    configure, recorder, order
):
    before = {"was": "old.total", "whose": "old.user", "never": "old.lines"}
    configure({**PAID, "CUSTOM_DATA": {**before, "value": "instance.total"}})
    order.total, order.paid = "25.00", True
    order.save()
    (event,) = recorder.events
    assert event.custom_data.value == "25.00"
    assert str(event.custom_data.properties["was"]) == "20.00"
    assert {str(note.reason) for note in event.notes} == {"path 'old.lines' leads nowhere"}


def test_without_a_change_to_look_for_every_save_of_an_old_row_may_count(
    configure, recorder, order
):
    configure({**CREATED, "MODEL": "bookshop.Order", "CREATED": False})
    order.save(update_fields=["total"])
    Order.objects.create(number="A2")
    assert recorder.names == ["AddToCart"]


def test_saving_again_makes_no_second_event(configure, recorder, order):
    configure(PAID)
    order.paid = True
    order.save()
    order.save()
    Order.objects.get(number="A1").save()
    assert recorder.names == ["Purchase"]


def test_a_change_away_from_the_value_makes_no_event(configure, recorder):
    configure(PAID)
    order = Order.objects.create(number="A2", paid=True)
    assert recorder.names == ["Purchase"]
    order.paid = False
    order.save()
    assert recorder.names == ["Purchase"]


def test_created_false_leaves_new_rows_out(configure, recorder):
    configure({**PAID, "CREATED": False})
    Order.objects.create(number="A2", paid=True)
    assert recorder.names == []


def test_a_new_row_makes_an_event(configure, recorder, order):
    configure(CREATED)
    line = order.lines.create(sku="B1")
    line.sku = "B2"
    line.save()
    assert recorder.names == ["AddToCart"]


def test_several_values_and_several_fields_are_told_apart(configure, recorder, order):
    configure({**PAID, "CHANGED": {"status": ["shipped", "collected"], "paid": True}})
    order.status = "shipped"
    order.save()
    assert recorder.names == []
    order.paid = True
    order.save()
    order.status = "collected"
    order.save()
    assert recorder.names == ["Purchase"]


def test_a_field_that_update_fields_leaves_out_does_not_count(configure, recorder, order):
    configure(PAID)
    order.paid = True
    with CaptureQueriesContext(connection) as queries:
        order.save(update_fields=["status"])
    assert recorder.names == []
    assert len(queries) == 1
    order.save(update_fields=["paid"])
    assert recorder.names == ["Purchase"]


def test_a_foreign_key_is_compared_by_its_key(configure, recorder, order):
    user = User.objects.create_user("ada")
    configure({**PAID, "CHANGED": {"user": user.pk}})
    order.user = user
    with CaptureQueriesContext(connection) as queries:
        order.save(update_fields=["user_id"])
    assert recorder.names == ["Purchase"]
    assert len(queries) == 2


def test_a_value_spelt_differently_is_the_same(configure, recorder, order):
    configure(PAID)
    order.paid = "1"
    order.save()
    assert recorder.names == ["Purchase"]


def test_creating_costs_no_query_and_changing_costs_one(configure, recorder, order):
    configure(PAID, {**PAID, "CHANGED": {"status": "shipped"}}, CREATED)
    with CaptureQueriesContext(connection) as queries:
        Order.objects.create(number="A2")
        Ticket.objects.create()
        Line.objects.create(order=order, sku="B1")
    assert len(queries) == 3
    with CaptureQueriesContext(connection) as queries:
        order.save()
    assert len(queries) == 2
    with CaptureQueriesContext(connection) as queries:
        User.objects.create_user("ada").save()
    assert len(queries) == 2


def test_a_uuid_key_costs_no_query_when_created(configure, recorder):
    configure({**PAID, "MODEL": "bookshop.Ticket", "CHANGED": {"used": True}, "EVENT": "Lead"})
    with CaptureQueriesContext(connection) as queries:
        Ticket.objects.create(used=True)
    assert len(queries) == 1
    assert recorder.names == ["Lead"]


def test_a_row_overwritten_under_a_key_of_the_host_is_compared(configure, recorder):
    configure({"ON": "model", "MODEL": "bookshop.Voucher", "CHANGED": {"used": True}, "EVENT": "X"})
    Voucher(code="v", used=True).save()
    Voucher(code="v", used=True).save()
    assert recorder.names == ["X"]


def test_a_proxy_is_the_model_it_stands_for(configure, recorder, order):
    configure(PAID)
    PhoneOrder.objects.filter(pk=order.pk).first().save()
    phone = PhoneOrder.objects.get(pk=order.pk)
    phone.paid = True
    phone.save()
    assert recorder.names == ["Purchase"]


def test_the_model_may_be_a_dotted_path(configure, recorder, order):
    configure({**PAID, "MODEL": "bookshop.models.Order"})
    order.paid = True
    order.save()
    assert recorder.names == ["Purchase"]


def test_fixtures_make_no_events(configure, recorder):
    data = serializers.serialize("json", [Order(pk=5, number="A5", paid=True)])
    configure(PAID)
    for item in serializers.deserialize("json", data):
        item.save()
    assert Order.objects.get(pk=5).paid
    assert recorder.names == []


def test_update_sends_no_signals_and_makes_no_events(configure, recorder, order):
    configure(PAID)
    Order.objects.update(paid=True)
    assert recorder.names == []


def test_deferred_fields_are_left_alone(configure, recorder, order):
    configure(PAID)
    deferred = Order.objects.only("number").get(pk=order.pk)
    deferred.number = "A9"
    with CaptureQueriesContext(connection) as queries:
        deferred.save()
    assert len(queries) == 1
    assert recorder.names == []


def test_nothing_is_left_on_the_instance(configure, recorder, order):
    before = set(order.__dict__), set(order._state.__dict__)
    configure(PAID)
    order.paid = True
    order.save()
    assert (set(order.__dict__), set(order._state.__dict__)) == before


def test_a_save_in_a_request_knows_the_visitor(client, configure, recorder, order):
    configure(PAID)
    client.get("/orders/pay/A1/", headers={"user-agent": "Firefox"})
    assert recorder.names == ["Purchase"]
    assert recorder.context.client_user_agent == "Firefox"


def test_models_that_nobody_watches_have_no_receivers_of_ours(configure):
    configure()
    before = len(pre_save.receivers), len(post_save.receivers)
    configure(PAID)
    # The model and its proxy.
    assert (len(pre_save.receivers), len(post_save.receivers)) == (before[0] + 2, before[1] + 2)
    configure()
    assert (len(pre_save.receivers), len(post_save.receivers)) == before


def test_a_receiver_never_raises_into_a_save(configure, recorder, order, monkeypatch):
    from capi_django import model_triggers

    def broken(*_, **__):
        raise RuntimeError("broken")

    configure(PAID)
    monkeypatch.setattr(model_triggers, "_is_new", broken)
    monkeypatch.setattr(model_triggers, "_value", broken)
    order.paid = True
    order.save()
    assert Order.objects.get(pk=order.pk).paid

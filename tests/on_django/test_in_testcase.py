"""What docs/django.md says of a host's own tests."""

from __future__ import annotations

import pytest
from bookshop.models import Order
from bookshop.signals import order_placed

PLACED = {"ON": "signal", "SIGNAL": "bookshop.signals.order_placed", "EVENT": "Lead"}


@pytest.mark.django_db
def test_inside_a_test_case_nothing_is_committed(configure, recorder):
    configure(PLACED)
    order_placed.send(sender=Order, order=Order.objects.create(number="A1"))
    assert recorder.names == []


@pytest.mark.django_db
def test_capturing_callbacks_makes_the_events(
    configure, recorder, django_capture_on_commit_callbacks
):
    configure(PLACED)
    with django_capture_on_commit_callbacks(execute=True):
        order_placed.send(sender=Order, order=Order.objects.create(number="A1"))
    assert recorder.names == ["Lead"]

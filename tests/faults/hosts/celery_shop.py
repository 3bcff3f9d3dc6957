"""A shop whose orders are Celery tasks: ``celery -A celery_shop worker``."""

from __future__ import annotations

import json
import os
import signal
import time

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

from capi_plugins import configure, hookimpl
from capi_plugins.celery_nudge import beat_schedule
from tests.faults.shop_process import event

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.task_default_queue = os.environ["QUEUE"]
app.conf.beat_schedule = beat_schedule(0.5)


class Slow:
    """Waits for something when it looks at some of the events."""

    @hookimpl
    def capi_enrich(self, event):
        if event.event_id.startswith("looked-at"):
            time.sleep(30)


settings = {**json.loads(os.environ["SETTINGS"]), "PLUGINS": [Slow()]}
client = configure(settings, environ={})


@app.task(name="order", ignore_result=True)
def order(number, dies=False):
    """Take an order; then perhaps be killed, as by the system for want of memory."""
    client.capture(event(number))
    # What is in memory, because the file was busy, is not promised.
    while dies and client.stats().in_memory:
        time.sleep(0.01)
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="order_in_time", ignore_result=True, soft_time_limit=1)
def order_in_time(number):
    """Take an order, see it sent, and give up when the time is over."""
    try:
        client.capture(event(number))
        client.flush(30)
    except SoftTimeLimitExceeded:
        client.capture(event(f"late-{number}"))

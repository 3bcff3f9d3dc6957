"""A shop whose orders are Celery tasks: ``celery -A celery_shop worker``."""

from __future__ import annotations

import json
import os
import signal
import time

from celery import Celery

from capi_plugins import configure
from capi_plugins.celery_nudge import beat_schedule
from tests.faults.shop_process import event

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.task_default_queue = os.environ["QUEUE"]
app.conf.beat_schedule = beat_schedule(0.5)
client = configure(json.loads(os.environ["SETTINGS"]), environ={})


@app.task(name="order", ignore_result=True)
def order(number, dies=False):
    """Take an order; then perhaps be killed, as by the system for want of memory."""
    client.capture(event(number))
    # What is in memory, because the file was busy, is not promised.
    while dies and client.stats().in_memory:
        time.sleep(0.01)
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)

"""A host's Celery module: ``celery -A celery_host worker``."""

from __future__ import annotations

import json
import os

from celery import Celery

from capi_plugins import configure
from capi_plugins.celery_nudge import beat_schedule

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.task_default_queue = os.environ["QUEUE"]
app.conf.beat_schedule = beat_schedule(float(os.environ["SWEEP"]))
client = configure(json.loads(os.environ["SETTINGS"]), environ={})

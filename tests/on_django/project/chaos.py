"""Processes that buy, send and die: ``chaos.py write SEED COUNT``, ``relay``, ``take``, ..."""

import os
import random
import signal
import sys
import time

import django

django.setup()

import capi_django  # noqa: E402
from bookshop.models import Line, Order  # noqa: E402
from bookshop.signals import order_placed  # noqa: E402
from django.db import connections, transaction  # noqa: E402
from ledger import note  # noqa: E402


class Declined(Exception):
    pass


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def buy(number):
    order = Order.objects.create(number=number, total=5)
    order_placed.send(sender=Order, order=order)
    Line.objects.create(order=order, sku="book")


def write(seed, count):
    """Random transactions and savepoints, many rolled back, some dying right after the commit."""
    chance = random.Random(seed)
    for number in range(count):
        dies = chance.random() < 0.01
        if dies:
            connections.close_all()
        if dies and os.fork() == 0:
            once(chance, f"{seed}-{number}", dies=True)
            os._exit(1)
        if dies:
            os.wait()
        else:
            once(chance, f"{seed}-{number}", dies=False)


def once(chance, number, *, dies):
    try:
        with transaction.atomic():
            if dies:
                transaction.on_commit(die)
            buy(number)
            try:
                with transaction.atomic():
                    buy(f"{number}-inner")
                    if chance.random() < 0.5:
                        raise Declined  # noqa: TRY301
            except Declined:
                pass
            if chance.random() < 0.3 and not dies:
                raise Declined  # noqa: TRY301
    except Declined:
        pass


def relay(until_empty):
    client = capi_django.get_client()
    while True:
        waiting = client.flush(5).waiting
        if until_empty and not waiting and not client.stats().waiting:
            return
        if waiting:
            time.sleep(0.01)


def take(limit):
    """Take what there is, with a pause in which another one may not have it."""
    from capi_django.outbox import DatabaseOutbox

    outbox = DatabaseOutbox("default")
    while batch := outbox.take("meta", limit=limit, max_bytes=1_000_000, now=time.time()):
        note(item.event_id for item in batch)
        outbox.delivered(batch)
    outbox.close()


def dies_after_commit():
    with transaction.atomic():
        transaction.on_commit(die)
        buy("1")


action, *numbers = sys.argv[1:]
{"write": write, "relay": relay, "take": take, "dies-after-commit": dies_after_commit}[action](
    *map(int, numbers)
)

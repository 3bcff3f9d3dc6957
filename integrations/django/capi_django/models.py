"""The tables of the database outbox.

What waits, what is dead and what was seen have a table each: the first one holds only rows that
are still to be sent, so that its index is as small as a partial index would be, on databases that
have none (MariaDB, MySQL) too; and the third one remembers identities without payloads for 48
hours, whatever became of the event. How the destinations have answered stands in a table besides.
"""

from __future__ import annotations

from django.db import models


class _Stored(models.Model):
    """One payload for one destination."""

    destination: models.Field[str, str] = models.CharField(max_length=200)
    event_name: models.Field[str, str] = models.TextField()
    event_id: models.Field[str, str] = models.TextField()
    payload: models.Field[bytes | memoryview, bytes | memoryview] = models.BinaryField()
    expires_at: models.Field[float | None, float | None] = models.FloatField(null=True)
    attempts: models.Field[int, int] = models.PositiveIntegerField(default=0)

    class Meta:
        """Not a table."""

        abstract = True


class WaitingDelivery(_Stored):
    """A delivery that is still to be sent.

    Times are seconds since the epoch: floats mean the same in every database and with every
    ``USE_TZ``. ``leased_until`` is of the database's clock, the others are of the application's.
    """

    due: models.Field[float, float] = models.FloatField(default=0)
    put_at: models.Field[float, float] = models.FloatField()
    # Whether its identity was new. What is stored inside a transaction of the host is asked that
    # later: waiting there for another transaction with the same event could end in a deadlock.
    admitted: models.Field[bool, bool] = models.BooleanField(default=False)
    # Who may change the row: the request that holds it, then whoever took it last.
    owner: models.Field[str, str] = models.CharField(max_length=32, default="", blank=True)
    leased_until: models.Field[float, float] = models.FloatField(default=0)

    class Meta(_Stored.Meta):
        """How Django calls and finds it."""

        verbose_name = "waiting delivery"
        verbose_name_plural = "waiting deliveries"
        indexes = [  # noqa: RUF012 - Django's way
            models.Index(fields=["destination", "due", "id"], name="capi_django_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.event_name} {self.event_id} for {self.destination}"


class DeadLetter(_Stored):
    """A delivery that is not tried again by itself."""

    reason: models.Field[str, str] = models.TextField()
    died_at: models.Field[float, float] = models.FloatField()

    class Meta(_Stored.Meta):
        """How Django calls and finds it."""

        verbose_name = "dead letter"
        verbose_name_plural = "dead letters"
        indexes = [models.Index(fields=["died_at", "id"], name="capi_django_dead")]  # noqa: RUF012

    def __str__(self) -> str:
        return f"{self.event_name} {self.event_id} for {self.destination}: {self.reason}"


class SeenEvent(models.Model):
    """An event that a destination got or is going to get: (destination, event_name, event_id).

    The identity is a digest, because ids may be longer than what a database can index.
    """

    identity: models.Field[str, str] = models.CharField(max_length=32, primary_key=True)
    at: models.Field[float, float] = models.FloatField(db_index=True)
    # Who saw it first, among those who try at the same moment.
    by: models.Field[str, str] = models.CharField(max_length=32)

    class Meta:
        """How Django calls and finds it."""

        verbose_name = "seen event"
        verbose_name_plural = "seen events"

    def __str__(self) -> str:
        return self.identity


class DestinationStanding(models.Model):
    """How a destination has taken what was sent to it: a row is a ``Standing``."""

    destination: models.Field[str, str] = models.CharField(max_length=200, primary_key=True)
    configuration: models.Field[str, str] = models.CharField(max_length=32, blank=True)
    tried_at: models.Field[float, float] = models.FloatField()
    failed_at: models.Field[float | None, float | None] = models.FloatField(null=True)
    reason: models.Field[str | None, str | None] = models.TextField(null=True)  # noqa: DJ001
    stopped_until: models.Field[float | None, float | None] = models.FloatField(null=True)

    class Meta:
        """How Django calls and finds it."""

        verbose_name = "destination standing"
        verbose_name_plural = "destination standings"

    def __str__(self) -> str:
        return self.destination


class ShopperContext(models.Model):
    """What a shopper's own request told, under one key; see ``capi_plugins.context_store``.

    The key is a digest; the context is JSON.
    """

    key: models.Field[str, str] = models.CharField(max_length=32, primary_key=True)
    at: models.Field[float, float] = models.FloatField(db_index=True)
    context: models.Field[str, str] = models.TextField()

    class Meta:
        """How Django calls and finds it."""

        verbose_name = "context of a shopper"
        verbose_name_plural = "contexts of shoppers"

    def __str__(self) -> str:
        return self.key


class JournalChunk(models.Model):
    """Lines of the journal, written together: JSON lines, compressed with zlib."""

    at: models.Field[float, float] = models.FloatField(db_index=True)
    browsing: models.Field[bool, bool] = models.BooleanField()
    size: models.Field[int, int] = models.PositiveIntegerField()
    lines: models.Field[bytes | memoryview, bytes | memoryview] = models.BinaryField()

    class Meta:
        """How Django calls and finds it."""

        verbose_name = "part of the journal"
        verbose_name_plural = "parts of the journal"

    def __str__(self) -> str:
        return str(self.pk)


class HeldEvent(models.Model):
    """An event of a visitor who has not decided yet; see ``capi_plugins.held_store``.

    The visitor is a digest; the event is JSON. No sender looks here.
    """

    key: models.Field[str, str] = models.CharField(max_length=32, primary_key=True)
    visitor: models.Field[str, str] = models.CharField(max_length=32, db_index=True)
    until: models.Field[float, float] = models.FloatField(db_index=True)
    event: models.Field[str, str] = models.TextField()

    class Meta:
        """How Django calls and finds it."""

        verbose_name = "held event"
        verbose_name_plural = "held events"

    def __str__(self) -> str:
        return self.key

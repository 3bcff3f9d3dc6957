"""The tables of the database outbox."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """Waiting deliveries, dead letters and the identities of both."""

    initial = True

    dependencies: ClassVar = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="SeenEvent",
            fields=[
                ("identity", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("at", models.FloatField(db_index=True)),
                ("by", models.CharField(max_length=32)),
            ],
            options={
                "verbose_name": "seen event",
                "verbose_name_plural": "seen events",
            },
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("destination", models.CharField(max_length=200)),
                ("event_name", models.TextField()),
                ("event_id", models.TextField()),
                ("payload", models.BinaryField()),
                ("expires_at", models.FloatField(null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("reason", models.TextField()),
                ("died_at", models.FloatField()),
            ],
            options={
                "verbose_name": "dead letter",
                "verbose_name_plural": "dead letters",
                "indexes": [models.Index(fields=["died_at", "id"], name="capi_django_dead")],
            },
        ),
        migrations.CreateModel(
            name="WaitingDelivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("destination", models.CharField(max_length=200)),
                ("event_name", models.TextField()),
                ("event_id", models.TextField()),
                ("payload", models.BinaryField()),
                ("expires_at", models.FloatField(null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("due", models.FloatField(default=0)),
                ("put_at", models.FloatField()),
                ("admitted", models.BooleanField(default=False)),
                ("owner", models.CharField(blank=True, default="", max_length=32)),
                ("leased_until", models.FloatField(default=0)),
            ],
            options={
                "verbose_name": "waiting delivery",
                "verbose_name_plural": "waiting deliveries",
                "indexes": [
                    models.Index(fields=["destination", "due", "id"], name="capi_django_waiting")
                ],
            },
        ),
    ]

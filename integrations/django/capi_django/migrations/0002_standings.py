"""The noticeboard of the database outbox."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """How the destinations have answered."""

    dependencies: ClassVar = [("capi_django", "0001_initial")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="DestinationStanding",
            fields=[
                (
                    "destination",
                    models.CharField(max_length=200, primary_key=True, serialize=False),
                ),
                ("configuration", models.CharField(blank=True, max_length=32)),
                ("tried_at", models.FloatField()),
                ("failed_at", models.FloatField(null=True)),
                ("reason", models.TextField(null=True)),
                ("stopped_until", models.FloatField(null=True)),
            ],
            options={
                "verbose_name": "destination standing",
                "verbose_name_plural": "destination standings",
            },
        ),
    ]

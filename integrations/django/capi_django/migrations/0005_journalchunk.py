"""The table of the journal, which ``capi explain`` reads."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """What became of recent events, many lines in a row."""

    dependencies: ClassVar = [("capi_django", "0004_heldevent")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="JournalChunk",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.FloatField(db_index=True)),
                ("browsing", models.BooleanField()),
                ("size", models.PositiveIntegerField()),
                ("lines", models.BinaryField()),
            ],
            options={
                "verbose_name": "part of the journal",
                "verbose_name_plural": "parts of the journal",
            },
        ),
    ]

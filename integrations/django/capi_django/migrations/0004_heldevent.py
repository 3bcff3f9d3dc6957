"""The table of events that wait for the decision of their visitor."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """What is held, by visitor."""

    dependencies: ClassVar = [("capi_django", "0003_shoppercontext")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="HeldEvent",
            fields=[
                ("key", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("visitor", models.CharField(db_index=True, max_length=32)),
                ("until", models.FloatField(db_index=True)),
                ("event", models.TextField()),
            ],
            options={
                "verbose_name": "held event",
                "verbose_name_plural": "held events",
            },
        ),
    ]

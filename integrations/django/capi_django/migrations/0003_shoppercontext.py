"""The table of the context store."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """What shoppers' own requests told, by key."""

    dependencies: ClassVar = [("capi_django", "0002_standings")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="ShopperContext",
            fields=[
                ("key", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("at", models.FloatField(db_index=True)),
                ("context", models.TextField()),
            ],
            options={
                "verbose_name": "context of a shopper",
                "verbose_name_plural": "contexts of shoppers",
            },
        ),
    ]

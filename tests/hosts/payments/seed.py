"""Nobody has paid yet, in either of the two databases."""

import django

django.setup()

from django.core.management import call_command  # noqa: E402

call_command("migrate", run_syncdb=True, database="orders", verbosity=0)

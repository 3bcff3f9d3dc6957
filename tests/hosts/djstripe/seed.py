"""The endpoint that Stripe calls."""

import django

django.setup()

from djstripe.models import WebhookEndpoint  # noqa: E402

WebhookEndpoint.objects.create(
    id="we_1",
    djstripe_uuid="00000000-0000-4000-8000-000000000001",
    secret="whsec_test",
    enabled_events=["*"],
    status="enabled",
    url="http://shop.example/stripe/webhook/",
    livemode=False,
)

"""What a Django request pays for us, beside a middleware that calls Segment's ``track()``.

    pip install segment-analytics-python
    python benchmarks/bench_capture.py

Every variant is the same site with another middleware, asked in turn, so what else the machine
does hits all alike. Nothing leaves the machine: our deliveries and Segment's find a closed port.
Figures are microseconds added to the request of a no-op middleware, the median and the 99th
percentile over all rounds.
"""

from __future__ import annotations

import gc
import logging
import statistics
import tempfile
import time

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.http import HttpResponse
from django.test import Client as Browser
from django.test import override_settings
from django.urls import path

ROUNDS = 15
WARM_UP = 60
REQUESTS = 40
CLOSED = "http://127.0.0.1:9"
HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0.0.0 Safari/537.36",
    "Cookie": "_fbp=fb.1.1596403881668.1116446470; _fbc=fb.1.1790000000000.IwAR2F4",
    "X-Forwarded-For": "8.8.8.8",
}


def page(request):
    return HttpResponse("<html></html>")


urlpatterns = [path("page/", page), path("api/", lambda request: HttpResponse(b"", "text/plain"))]


def nothing(get_response):
    def middleware(request):
        return get_response(request)

    return middleware


def segment(get_response):
    from segment import analytics

    analytics.write_key, analytics.host, analytics.max_queue_size = "key", CLOSED, 10_000_000

    def middleware(request):
        response = get_response(request)
        analytics.track(
            anonymous_id="1",
            event="PageView",
            context={
                "ip": "8.8.8.8",
                "userAgent": request.headers["User-Agent"],
                "page": {"url": request.build_absolute_uri()},
            },
        )
        return response

    return middleware


OURS = "capi_django.middleware.CapiMiddleware"
FOLDER = tempfile.TemporaryDirectory(prefix="capi-bench-")
FILE = f"sqlite:///{FOLDER.name}/outbox.sqlite3"
# Middleware, page, and the outbox.
VARIANTS = {
    "no-op middleware": (f"{__name__}.nothing", "/page/", "memory"),
    "capi, no event": (OURS, "/api/", "memory"),
    "capi, a PageView, memory": (OURS, "/page/", "memory"),
    "capi, a PageView, SQLite file": (OURS, "/page/", FILE),
    "capi, a PageView, database": (OURS, "/page/", "database"),
    "segment track(), memory": (f"{__name__}.segment", "/page/", "memory"),
}


def capi(outbox: str) -> dict:
    return {
        "DESTINATIONS": {"meta": {"DATASET_ID": "1", "ACCESS_TOKEN": "x", "API_URL": CLOSED}},
        "CONSENT": {"DEFAULT": "granted"},
        "TRUSTED_PROXIES": 1,
        "DELIVERY": {
            "OUTBOX": outbox,
            "QUEUE_SIZE": 1_000_000,
            "QUEUE_BYTES": 1_000_000_000,
            "EXIT_TIMEOUT": 0,
        },
    }


def configure() -> None:
    logging.disable(logging.CRITICAL)
    settings.configure(
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["capi_django"],
        MIDDLEWARE=[],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": f"{FOLDER.name}/host.sqlite3",
                "OPTIONS": {"init_command": "PRAGMA journal_mode=wal; PRAGMA synchronous=1;"},
            }
        },
        CAPI=capi("memory"),
    )
    django.setup()
    call_command("migrate", verbosity=0)


def measure() -> dict[str, list[float]]:
    browsers = {}
    for name, (middleware, _, _) in VARIANTS.items():
        with override_settings(MIDDLEWARE=[middleware]):
            browsers[name] = Browser(headers=HEADERS)
            browsers[name].get("/page/")  # loads the middleware
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(ROUNDS):
        for name, (_, url, outbox) in VARIANTS.items():
            browser = browsers[name]
            with override_settings(CAPI=capi(outbox)):
                # A new client opens its outbox, and fails to send for the first time.
                for _ in range(WARM_UP):
                    browser.get(url)
                gc.collect()
                for number in range(REQUESTS):
                    visitor = {"X-Forwarded-For": f"8.8.8.{number}"}
                    start = time.perf_counter()
                    browser.get(url, headers=visitor)
                    times[name].append((time.perf_counter() - start) * 1e6)
    return times


def main() -> None:
    configure()
    times = measure()
    connections.close_all()
    FOLDER.cleanup()
    base = times["no-op middleware"]
    base_median, base_p99 = statistics.median(base), statistics.quantiles(base, n=100)[98]
    print(f"{ROUNDS * REQUESTS} requests each, us    median   added p50   added p99")
    for name, values in times.items():
        median, p99 = statistics.median(values), statistics.quantiles(values, n=100)[98]
        print(f"{name:<30} {median:9.0f} {median - base_median:11.0f} {p99 - base_p99:11.0f}")


if __name__ == "__main__":
    main()

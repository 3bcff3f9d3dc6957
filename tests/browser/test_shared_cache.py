"""A caching proxy in front of a shop never gives one visitor what is another's."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import attrs
import pytest

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
AGREED = (
    "cookieyes-consent=consentid:a%2Cconsent:yes%2Caction:yes%2Cnecessary:yes%2Cadvertisement:yes"
)
# The shop, with a page that says it is everybody's.
SETTINGS = """
from shop.settings import *
ROOT_URLCONF = "cached_urls"
"""
URLS = """
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.cache import cache_control
from shop.urls import urlpatterns as shop_urls

@cache_control(public=True, max_age=600)
def about(request):
    return HttpResponse("<html><head><title>About</title></head><body>About us</body></html>")

urlpatterns = [path("about/", about), path("capi/", include("capi_django.urls")), *shop_urls]
"""
# Keeps whatever the answers do not forbid, under the address alone.
CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_cache_path {folder}/cache keys_zone=pages:1m inactive=10m use_temp_path=off;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {shop};
      proxy_set_header Host $http_host;
      proxy_cache pages;
      proxy_cache_key $request_uri;
      proxy_cache_valid 200 10m;
      proxy_ignore_headers Vary;
      add_header X-Cache $upstream_cache_status always;
    }}
  }}
}}
"""


@attrs.frozen
class Answer:
    cache: str
    cookies: dict[str, str]
    page: str

    @property
    def ids(self) -> set[str]:
        """Everything in it that belongs to one visitor."""
        found = re.findall(r'"(?:eventID|external_id)":"([^"]+)"', self.page)
        return {*found, *self.cookies.values()}


@attrs.frozen
class Front:
    """The proxy."""

    url: str

    def get(self, path: str, cookie: str) -> Answer:
        headers = {
            "Cookie": cookie, "Accept": "text/html",
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
        }  # fmt: skip
        asked = urllib.request.Request(f"{self.url}{path}", headers=headers)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            pairs = [
                line.partition(";")[0].partition("=")
                for line in answer.headers.get_all("Set-Cookie", ())
            ]
            cookies = {name: value for name, _, value in pairs}
            return Answer(answer.headers["X-Cache"], cookies, answer.read().decode())


@pytest.fixture
def front(run_shop, pixel, tmp_path):
    if NGINX is None:
        if os.environ.get("CAPI_REQUIRE_SERVICES") == "1":
            pytest.fail("nginx is missing")
        pytest.skip("nginx is not installed")
    tmp_path.joinpath("cached_settings.py").write_text(SETTINGS)
    tmp_path.joinpath("cached_urls.py").write_text(URLS)
    shop = run_shop("django", DJANGO_SETTINGS_MODULE="cached_settings", PYTHONPATH=str(tmp_path))
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    config = tmp_path / "nginx.conf"
    config.write_text(CONFIG.format(folder=tmp_path, port=port, shop=shop.url))
    log = tmp_path / "error.log"
    process = subprocess.Popen([NGINX, "-e", str(log), "-c", str(config)])
    try:
        _wait(process, port, log)
        yield Front(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(20)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    pytest.fail("nginx did not answer in time")


def test_no_visitor_gets_what_is_anothers(front):
    product = re.findall(r'href="(/p/[^"]+)"', front.get("/", "").page)[0]
    for path in ("/?a=1", "/search/?q=garden", f"{product}?fbclid=IwAR0shared", "/contact/"):
        first, second = front.get(path, AGREED), front.get(path, AGREED)
        assert "fbq(" in first.page
        assert "_fbp" in first.cookies
        assert "_fbp" in second.cookies
        assert (first.cache, second.cache) == ("MISS", "MISS")
        assert len(first.ids) >= 2  # the cookie, and the id of the page view
        assert not first.ids & second.ids


def test_a_page_without_a_cookie_to_set_is_its_visitors_too(front):
    # nginx keeps no answer that sets a cookie anyway; here the header alone forbids it.
    first, second = (
        front.get("/search/?q=rake", f"{AGREED}; _fbp=fb.1.1700000000000.{number}")
        for number in (1, 2)
    )
    assert first.cookies == second.cookies == {}
    assert "fbq(" in first.page
    assert (first.cache, second.cache) == ("MISS", "MISS")
    assert not first.ids & second.ids


def test_who_did_not_agree_gets_nothing_of_who_did(front):
    path = "/search/?q=kitchen"
    agreed = front.get(path, AGREED)
    assert "fbq(" in agreed.page
    other = front.get(path, "")
    assert "fbq(" not in other.page
    assert not other.cookies.keys() & {"_fbp", "_fbc", "capi_events"}
    assert not agreed.ids & other.ids


def test_a_public_page_is_served_from_the_cache_untouched(front):
    first = front.get("/about/", AGREED)
    second = front.get("/about/", AGREED.replace("consentid:a", "consentid:b"))
    assert (first.cache, second.cache) == ("MISS", "HIT")
    assert first.page == second.page
    assert "fbq" not in first.page
    assert first.ids == second.ids == set()


def test_the_script_of_the_bridge_is_served_from_the_cache(front):
    first, second = front.get("/capi/bridge.js", AGREED), front.get("/capi/bridge.js", "")
    assert (first.cache, second.cache) == ("MISS", "HIT")
    assert first.page == second.page
    assert "capi_consent=" in first.page

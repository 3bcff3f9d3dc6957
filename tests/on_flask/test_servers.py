"""The example shop behind real servers, over real HTTP, with a strict sandbox in Meta's place."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from capi_plugins.sandbox import Sandbox

for needed in ("flask_login", "flask_sqlalchemy", "flask_wtf", "gunicorn"):
    pytest.importorskip(needed)

SHOP = Path(__file__).parents[2] / "examples" / "flask_shop"
GUNICORN = ("-m", "gunicorn", "flask_shop:create_app()", "-b", "127.0.0.1:{port}")
SERVERS = {
    "flask run": ("-m", "flask", "--app", "flask_shop", "run", "--port", "{port}"),
    "gunicorn sync": (*GUNICORN, "--workers", "2"),
    "gunicorn gthread": (*GUNICORN, "--threads", "4"),
    "gunicorn preload": (*GUNICORN, "--workers", "2", "--preload"),
    "gunicorn gevent": (*GUNICORN, "--worker-class", "gevent"),
}


@contextlib.contextmanager
def serving(arguments, environment):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, *(part.format(port=port) for part in arguments)]
    process = subprocess.Popen(command, cwd=SHOP, env=environment, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < deadline
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


class Visitor:
    """A browser that came from an advertisement, with cookies and without JavaScript."""

    def __init__(self, url):
        self.http = httpx.Client(
            base_url=url,
            headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"},
            cookies={"_fbp": f"fb.1.{int(time.time() * 1000)}.1234567890"},
            follow_redirects=True,
            trust_env=False,
            timeout=20,
        )

    def get(self, path):
        return self.http.get(path).text

    def post(self, path, page, **fields):
        """Submit a form of a page, with that page's token."""
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(page))
        return self.http.post(path, data={"csrf_token": token[1] if token else "", **fields})


BUYER = {
    "email": "ada@example.com",
    "phone": "+49 30 1234567",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "address": "Hauptstr. 1",
    "zip": "10115",
    "city": "Berlin",
    "state": "BE",
    "country": "DE",
    "payment": "card",
}


@pytest.mark.parametrize("server", SERVERS)
def test_shop_sends_the_same_events_from_every_server(server, tmp_path):
    if server == "gunicorn gevent":
        pytest.importorskip("gevent")
    with Sandbox(datasets={"1234567890123456": "token"}) as sandbox:
        environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME")},
            "SHOP_DATABASE": str(tmp_path / "shop.sqlite3"),
            "SANDBOX_URL": sandbox.url,
            "CAPI_META_DATASET_ID": "1234567890123456",
            "CAPI_META_ACCESS_TOKEN": "token",
        }
        subprocess.run(
            [sys.executable, "-m", "flask", "--app", "flask_shop", "seed"],
            cwd=SHOP,
            env=environment,
            check=True,
            capture_output=True,
        )
        with serving(SERVERS[server], environment) as url:
            visitor = Visitor(url)
            visitor.post("/cookies/", "/", choice="accept", next="/")
            visitor.post("/cart/add/MUG-01/", "/p/stoneware-mug/", quantity="2")
            declined = {**BUYER, "card_number": "4000 0000 0000 0002"}
            assert visitor.post("/checkout/", "/checkout/", **declined).status_code == 402
            broken = {**BUYER, "card_number": "4000 0000 0000 0119"}
            assert visitor.post("/checkout/", "/checkout/", **broken).status_code == 500
            paid = {**BUYER, "card_number": "4242 4242 4242 4242"}
            assert visitor.post("/checkout/", "/checkout/", **paid).status_code == 200
            visitor.get("/search/?q=tea")
            visitor.http.close()
            sandbox.wait_for(1, name="Search", timeout=20)
            sandbox.wait_for(1, name="Purchase", timeout=20)
        # The server has ended, and what was under way was delivered before it did.
        names = [event.payload["event_name"] for event in sandbox.accepted()]
        assert sandbox.refused == []
        assert names.count("Purchase") == 1
        assert names.count("AddToCart") == 1
        assert names.count("ViewContent") == 1
        assert names.count("InitiateCheckout") == 3
        [purchase] = sandbox.accepted("Purchase")
        assert purchase.payload["custom_data"]["value"] == 48
        assert purchase.payload["custom_data"]["contents"] == [
            {"id": "MUG-01", "quantity": 2, "item_price": 24}
        ]
        assert {"em", "ph", "fn", "ln", "ct", "zp", "country"} <= purchase.payload[
            "user_data"
        ].keys()

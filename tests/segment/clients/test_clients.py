"""Unmodified libraries of Segment and RudderStack: only their host is another one."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
from pathlib import Path

import pytest

from tests.segment.clients.conftest import LIMIT, WRITE_KEY

SERVER = {"X-Forwarded-For": "198.51.100.7"}
VISITOR = "203.0.113.9"
ORDER = {
    "order_id": "A-1",
    "revenue": 25.5,
    "currency": "EUR",
    "products": [{"product_id": "p-1", "price": 25.5, "quantity": 1}],
}


def assert_is_the_order(event):
    assert event["custom_data"]["value"] == 25.5
    assert event["custom_data"]["currency"] == "EUR"
    assert event["custom_data"]["contents"][0]["id"] == "p-1"


def python_client(library, host):
    problems = []
    made = library(
        WRITE_KEY,
        host=host.capi,
        on_error=lambda error, _: problems.append(error),
        upload_interval=0.05,
        gzip=True,
    )
    return made, problems


def python_libraries():
    segment = pytest.importorskip("segment.analytics.client")
    rudder = pytest.importorskip("rudderstack.analytics.client")
    return {"segment": segment.Client, "rudder": rudder.Client}


@pytest.mark.parametrize("library", ["segment", "rudder"])
def test_the_libraries_for_python_send_their_orders_here(library, host):
    client, problems = python_client(python_libraries()[library], host)
    prefix = f"python-{library}"
    context = {"ip": VISITOR, "traits": {"email": "ada@example.com"}}
    client.identify("u-1", {"email": "ada@example.com"}, message_id=f"{prefix}-identify")
    client.track("u-1", "Order Completed", ORDER, context, message_id=f"{prefix}-order")
    client.track("u-1", "Signed Up", {}, dict(context), message_id=f"{prefix}-signed-up")
    client.flush()
    client.join()
    assert problems == []
    found = host.received(prefix, 2)
    assert_is_the_order(found["Purchase"])
    assert len(found["Purchase"]["user_data"]["em"][0]) == 64
    # The address of the shop's server is nobody's.
    assert found["Purchase"]["user_data"]["client_ip_address"] == VISITOR
    assert "CompleteRegistration" in found


@pytest.mark.parametrize("library", ["segment", "rudder"])
def test_a_wrong_key_is_told_to_the_library(library, host):
    made = python_libraries()[library]
    problems = []
    client = made(
        "wrong",
        host=host.capi,
        on_error=lambda error, _: problems.append(error),
        upload_interval=0.05,
        max_retries=0,
    )
    client.track("u-1", "Order Completed", ORDER)
    client.flush()
    client.join()
    (problem,) = problems
    assert problem.status == 401
    assert problem.code == "invalid_write_key"


def test_the_library_for_node_sends_its_orders_here(host, libraries):
    node = shutil.which("node")
    done = subprocess.run(
        [
            *(node, Path(__file__).parent / "node_client.cjs"),
            *(host.url, "/capi/v1/batch", WRITE_KEY, "node"),
        ],
        env={"NODE_PATH": str(libraries), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["failed"] == []
    # On a busy machine it may have to send again, and it does.
    assert set(said["statuses"]) <= {200, 503}
    found = host.received("node", 2)
    assert_is_the_order(found["Purchase"])
    assert found["PageView"]["action_source"] == "other"


def visit(browser, page_url, host, prefix, **options):
    """Open the shop's page in a real browser, and wait until it says that everything is sent."""
    context = browser.new_context(**options)
    page = context.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    query = urllib.parse.urlencode({"host": host.capi, "prefix": prefix, "fbclid": "IwAR0abc"})
    try:
        page.goto(f"{page_url}/shop.html?{query}")
        page.wait_for_function("document.title === 'Sent'", timeout=LIMIT * 1000)
    finally:
        context.close()
    assert [text for text in said if "favicon" not in text and "404" not in text] == []


def test_analytics_js_sends_from_a_page_of_another_origin(host, browser, elsewhere):
    visit(browser, elsewhere, host, "cross")
    found = host.received("cross", 2)
    assert_is_the_order(found["Purchase"])
    for event in found.values():
        assert event["action_source"] == "website"
        assert event["event_source_url"].startswith(f"{elsewhere}/shop.html")
        assert event["user_data"]["fbc"].endswith(".IwAR0abc")
        assert "Chrome" in event["user_data"]["client_user_agent"]


def test_analytics_js_sends_from_the_hosts_own_page(host, browser):
    if host.kind == "serve":
        pytest.skip("it has no pages")
    options = {"extra_http_headers": {"X-Forwarded-For": VISITOR}}
    visit(browser, f"{host.url}/shop", host, "own", **options)
    found = host.received("own", 2)
    assert_is_the_order(found["Purchase"])
    for event in found.values():
        assert event["action_source"] == "website"
        assert event["user_data"]["client_ip_address"] == VISITOR

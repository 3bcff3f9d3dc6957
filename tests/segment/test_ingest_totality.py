"""Whatever is sent to the sources: an answer that is no fault of ours, and nobody's name in it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capi_plugins.context import RequestContext
from capi_plugins.receiving import respond
from capi_plugins.sandbox import rules
from tests.segment.api import KEY, SECRET, Api
from tests.segment.conftest import BROWSER
from tests.segment.test_totality import EMAIL, LIKELY, MESSAGES, NOW, VALUES

BASIC = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
ORIGIN = "https://shop.example"
QUICK = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))

TEXT = st.text(max_size=40) | st.sampled_from(["", EMAIL, "\x00", "\r\nset-cookie: a=b", "é" * 9])
NAMED = {
    "authorization": st.sampled_from([BASIC, "Basic", "Basic ====", "Bearer x", f"Basic {EMAIL}"]),
    "origin": st.sampled_from([ORIGIN, "null", "https://[::1", "https://other.example"]),
    "referer": st.sampled_from([f"{ORIGIN}/?email={EMAIL}", f"{ORIGIN}/a", "https://[::1"]),
    "user-agent": st.sampled_from([BROWSER, f"Mozilla/5.0 {EMAIL}", "analytics-python/2"]),
    "content-length": st.sampled_from(["-1", "x", "9" * 30, "5"]),
    "content-encoding": st.sampled_from(["gzip", "GZIP ", "deflate", "br", "identity"]),
    "x-signature": TEXT,
    "cookie": st.sampled_from([f"_fbp={EMAIL}", "_fbc=fb.1.1.x", "=;;=;"]),
    "x-forwarded-for": TEXT,
    "access-control-request-headers": TEXT,
    "sec-gpc": st.sampled_from(["1", "0", "x"]),
}
HEADERS = st.fixed_dictionaries(
    {}, optional={name: found | TEXT for name, found in NAMED.items()}
) | st.dictionaries(TEXT, TEXT, max_size=4)
PATHS = st.sampled_from(
    [
        "v1/track", "v1/t", "v1/batch", "v1/b", "v1/import", "v1/page", "v1/identify", "v1/m",
        f"v1/projects/{KEY}/settings", "v1/projects//settings", "webhooks/segment",
        "webhooks/rudderstack", "webhooks/", "v1//track", "V1/TRACK", "webhooks/tracking/t",
    ]
) | TEXT  # fmt: skip
METHODS = st.sampled_from(["POST", "GET", "OPTIONS", "PUT", "HEAD", "DELETE", "", "póst"])
DATA = (
    VALUES
    | MESSAGES
    | LIKELY
    | st.fixed_dictionaries(
        {"batch": st.lists(LIKELY | MESSAGES | VALUES, max_size=4) | VALUES},
        optional={"sentAt": VALUES, "context": VALUES, "integrations": VALUES, "writeKey": VALUES},
    )
)
BODIES = DATA.map(lambda data: json.dumps(data).encode()) | st.binary(max_size=200)


@pytest.fixture(scope="module")
def sources():
    webhooks = {"segment": SECRET, "rudderstack": SECRET}
    api = Api(clock=lambda: NOW, SEGMENT={"WEBHOOKS": webhooks, "RATE": 0, "ORIGINS": "*"})
    yield api
    api.client.close(0)


class Log(logging.Handler):
    """Keeps what is logged."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.said = []

    def emit(self, record):
        self.said.append((record.levelno, record.getMessage()))


def asked(sources, path, body, method, headers):
    """Ask, judge the answer and what was queued, and return the status."""
    log = Log()
    logger = logging.getLogger("capi_plugins")
    before = logger.level, logger.propagate
    logger.addHandler(log)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    context = RequestContext(
        method=method,
        url=f"{ORIGIN}/capi/{path}",
        headers=headers,
        client_ip_address="203.0.113.9",
        client_user_agent=headers.get("user-agent"),
        referrer_url=headers.get("referer"),
    )
    pieces = [body]

    try:
        answer = respond(sources.client, path, context, lambda _: pieces.pop() if pieces else b"")
    finally:
        logger.removeHandler(log)
        logger.setLevel(before[0])
        logger.propagate = before[1]
    assert answer.status < 500, (answer, log.said)
    assert [text for level, text in log.said if level >= logging.ERROR] == []
    shown = [answer.body.decode(), str(dict(answer.headers)), str(log.said)]
    for event in sources.waiting():
        assert rules.every_problem(event, NOW, "strict") == ()
        shown.append(json.dumps(event))
    if answer.status != 204:
        assert json.loads(answer.body)
    assert not any(char in value for value in answer.headers.values() for char in "\r\n")
    # An origin is the browser's own word, and goes back to nobody else.
    text = "\n".join(shown).lower()
    assert "zyx.wvut98" not in text
    return answer.status


@QUICK
@given(path=PATHS, body=BODIES, method=METHODS, headers=HEADERS)
def test_any_request_is_answered(sources, path, body, method, headers):
    asked(sources, path, body, method, headers)


@QUICK
@given(data=DATA, path=st.sampled_from(["v1/t", "v1/b", "v1/p"]), headers=HEADERS)
@pytest.mark.parametrize("packed", [False, True])
def test_any_body_of_somebody_with_a_key_is_answered(sources, packed, data, path, headers):
    body = json.dumps(data).encode()
    if packed:
        body = gzip.compress(body, 1)
    encoding = {"content-encoding": "gzip" if packed else ""}
    headers = {**headers, "authorization": BASIC, **encoding, "content-length": str(len(body))}
    status = asked(sources, path, body, "POST", headers)
    assert status in (200, 400, 413)
    if path != "v1/b" and isinstance(data, dict) and len(body) < 30_000:
        assert status == 200


@QUICK
@given(data=DATA, headers=HEADERS)
@pytest.mark.parametrize("name", ["segment", "rudderstack"])
def test_any_signed_body_is_answered(sources, name, data, headers):
    body = json.dumps(data).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    signed = {"x-signature": signature, "authorization": f"Bearer {SECRET}"}
    headers = {**headers, **signed, "content-length": str(len(body))}
    assert asked(sources, f"webhooks/{name}", body, "POST", headers) in (200, 400, 413)

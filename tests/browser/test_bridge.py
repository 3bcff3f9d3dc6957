"""The script that copies a banner's answer into a cookie, in a real browser.

The banners are stand-ins with the functions and events that their makers document.
"""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from capi_plugins.bridge import serve

PAGE = b"""<!doctype html><html><head><title>a</title>
<script src="/capi/bridge.js"></script></head><body></body></html>"""
POLICY = "default-src 'none'; script-src 'self'"

TERMLY = """(state) => {
  const heard = {};
  window.Termly = {
    state: state || undefined,
    on: (name, call) => { heard[name] = call; },
    getConsentState: () => window.Termly.state,
    choose: (answer) => { window.Termly.state = {essential: true, advertising: answer};
                          heard.consent({consentState: window.Termly.state}); },
    attached: () => "consent" in heard,
  };
}"""
OSANO = """() => {
  const heard = {};
  window.Osano = {cm: {
    addEventListener: (name, call) => { heard[name] = call;
      if (name === "osano-cm-initialized") call(undefined); },
    choose: (answer) => heard["osano-cm-consent-saved"]({ESSENTIAL: "ACCEPT", MARKETING: answer}),
    attached: () => "osano-cm-consent-saved" in heard,
  }};
}"""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/capi/bridge.js":
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = serve("GET", headers)
            status, given, body = answer.status, dict(answer.headers), answer.body
        else:
            status, given, body = 200, {"Content-Type": "text/html"}, PAGE
            given |= {"Content-Security-Policy": POLICY, "Content-Length": str(len(PAGE))}
        self.send_response(status)
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def said(page, site):
    """What the cookie says, which is what the server gets."""
    page.goto(site)

    def read():
        found = [each["value"] for each in page.context.cookies() if each["name"] == "capi_consent"]
        return found[0] if found else None

    assert read() is None
    return read


def test_termly(page, said, until):
    page.evaluate(TERMLY)
    until(lambda: page.evaluate("Termly.attached()"))
    assert said() is None
    page.evaluate("Termly.choose(true)")
    assert said() == "marketing:granted"
    page.evaluate("Termly.choose(false)")
    assert said() == "marketing:denied"


def test_termly_of_a_visitor_who_has_chosen_before(page, said, until):
    page.evaluate(TERMLY, {"advertising": False})
    until(lambda: said() == "marketing:denied")


def test_osano(page, said, until):
    page.evaluate(OSANO)
    until(lambda: page.evaluate("Osano.cm.attached()"))
    assert said() is None
    page.evaluate("Osano.cm.choose('ACCEPT')")
    assert said() == "marketing:granted"
    page.evaluate("Osano.cm.choose('DENY')")
    assert said() == "marketing:denied"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"type": "IMPLICIT", "ucCategory": {"marketing": True}}, None),
        ({"type": "EXPLICIT", "ucCategory": {"marketing": True}}, "marketing:granted"),
        ({"type": "explicit", "ucCategory": {"marketing": False}}, "marketing:denied"),
        ({"type": "explicit", "ucCategory": {"marketing": None}}, None),
        (
            {"type": "explicit", "Facebook Pixel": True, "ucCategory": {"marketing": None}},
            "marketing:granted",
        ),
        (
            {"type": "explicit", "Meta Pixel": False, "ucCategory": {"marketing": None}},
            "marketing:denied",
        ),
        ({"type": "explicit"}, None),
    ],
)
def test_usercentrics(page, said, status, expected):
    page.evaluate("told => dataLayer.push(told)", {"event": "consent_status", **status})
    assert said() == expected


GTAG = "(kind, modes) => { (function () { dataLayer.push(arguments); })('consent', kind, modes); }"


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([("default", {"ad_storage": "granted", "ad_user_data": "granted"})], None),
        ([("update", {"ad_storage": "granted", "ad_user_data": "granted"})], "marketing:granted"),
        ([("update", {"ad_storage": "granted"})], None),
        (
            [("update", {"ad_storage": "granted"}), ("update", {"ad_user_data": "granted"})],
            "marketing:granted",
        ),
        ([("update", {"ad_storage": "granted", "ad_user_data": "denied"})], "marketing:denied"),
        ([("update", {"analytics_storage": "granted"})], None),
        ([("update", None), ("update", "granted")], None),
    ],
)
def test_google_consent_mode(page, said, calls, expected):
    for kind, modes in calls:
        page.evaluate(f"([kind, modes]) => ({GTAG})(kind, modes)", [kind, modes])
    assert said() == expected


def test_what_was_said_before_the_script_came_counts(page, site):
    early = "window.dataLayer = [['consent', 'update', {ad_storage: 'denied'}]]"
    page.add_init_script(early)
    page.goto(site)
    assert page.evaluate("document.cookie") == "capi_consent=marketing:denied"
    assert page.evaluate("dataLayer.length") == 1


def test_any_banner_may_tell_and_take_back(page, said):
    page.evaluate("capiConsent('granted')")
    assert said() == "marketing:granted"
    page.evaluate("capiConsent('denied')")
    assert said() == "marketing:denied"
    page.evaluate("capiConsent('perhaps')")
    assert said() is None


def test_if_two_banners_disagree_the_refusal_is_written(page, said):
    page.evaluate("capiConsent('denied')")
    modes = {"ad_storage": "granted", "ad_user_data": "granted"}
    page.evaluate(f"([kind, modes]) => ({GTAG})(kind, modes)", ["update", modes])
    assert said() == "marketing:denied"


def test_the_answer_is_there_on_the_next_page_and_for_half_a_year(page, said, site):
    page.evaluate("capiConsent('granted')")
    page.goto(f"{site}next")
    [cookie] = page.context.cookies()
    assert said() == "marketing:granted"
    assert cookie["sameSite"] == "Lax"
    assert 179 < (cookie["expires"] - page.evaluate("Date.now() / 1000")) / 86_400 <= 180


def test_a_banner_that_breaks_breaks_nothing(page, said):
    complaints = []

    def complain(error):
        complaints.append(error)

    page.on("pageerror", complain)
    page.evaluate("""() => {
      window.Termly = {on() { throw new Error("a"); }, getConsentState() { throw new Error("b"); }};
      dataLayer.push(null, 7, {event: "consent_status", type: {}}, ["consent", "update", 5]);
    }""")
    page.evaluate("capiConsent('granted')")
    assert said() == "marketing:granted"
    assert complaints == []

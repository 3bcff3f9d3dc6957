"""People with a browser: cookies, CSRF tokens, an address, a click id, and an opinion."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from urllib.parse import quote

import httpx

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_numbers = itertools.count(1)


def sha256(text):
    """What Meta is told in place of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def banner(answer):
    """The cookie of the consent banner."""
    yes = "yes" if answer else "no"
    text = f"consentid:x,consent:{yes},action:yes,necessary:yes,advertisement:{yes}"
    return quote(text, safe=":,")


class Visitor:
    """One browser.

    Args:
        host: The host app.
        consent: What the visitor told the banner; None: nothing yet.
        agent: The browser's name.
    """

    def __init__(self, host, *, consent=True, agent=FIREFOX):
        number = next(_numbers)
        self.host = host
        self.ip = f"203.0.113.{number}"
        self.fbp = f"fb.1.1700000000000.{number:010d}"
        self.fbc = f"fb.1.1700000000000.click{number}"
        cookies = {"_fbp": self.fbp, "_fbc": self.fbc}
        if consent is not None:
            cookies["cookieyes-consent"] = banner(consent)
        self.answers = []
        self._client = httpx.Client(
            base_url=host.url,
            headers={"User-Agent": agent, "X-Forwarded-For": self.ip},
            cookies=cookies,
            timeout=60,
            trust_env=False,
        )

    def get(self, path, *, expect=200, params=None, **headers):
        return self._ask("GET", path, expect, params=params, headers=headers)

    def post(self, path, *, expect=302, headers=None, json=None, files=None, **fields):
        if json is not None:
            return self._ask("POST", path, expect, headers=headers, json=json)
        fields.setdefault("csrfmiddlewaretoken", self._client.cookies.get("csrftoken", ""))
        return self._ask("POST", path, expect, headers=headers, data=fields, files=files)

    def decide(self, answer):
        """Answer the banner."""
        self._client.cookies.set("cookieyes-consent", banner(answer))

    def follow(self, answer):
        """Follow redirects to the end."""
        while answer.is_redirect:
            answer = self._ask("GET", answer.headers["Location"], None)
        assert answer.status_code == 200, (answer.text[:2000], self.host.said())
        return answer

    def _ask(self, method, path, expect, **how):
        answer = self._client.request(method, path, **how)
        self.answers.append((method, path, answer))
        assert expect is None or answer.status_code == expect, (
            answer.text[:2000],
            self.host.said(),
        )
        return answer

    def close(self):
        self._client.close()

    # -------------------------------------------------------------- what arrived

    def events(self, name=None):
        """The events that arrived of this visitor, in order."""
        return [
            event
            for event in self.host.settled()
            if event["user_data"].get("fbp") == self.fbp and name in (None, event["event_name"])
        ]

    def twins(self):
        """Name and id of what the pages told the browser to send, in order."""
        call = re.compile(r'fbq\("track", "(\w+)", .*?, {"eventID":"([^"]+)"}\);')
        return [twin for _, _, answer in self.answers for twin in call.findall(answer.text)]

    def counts(self):
        """How many events of each name arrived of this visitor, page views left out."""
        names = Counter(event["event_name"] for event in self.events())
        del names["PageView"]
        return names


_CHANGING = re.compile(
    rb"""(csrfmiddlewaretoken"\ value=|csrf-token"\ content=)"[^"]*"
    | confirm-email/[^/"]+
    | 127\.0\.0\.1:\d+ | \d\d:\d\d(?::\d\d)?(?:\.\d+)? | "id_[0-9a-f-]{36}" """,
    re.VERBOSE,
)


def comparable(answer):
    """An answer without what no two answers have in common."""
    head = sorted(
        (key.lower(), value)
        for key, value in answer.headers.items()
        if key.lower() not in {"date", "expires", "server", "set-cookie", "content-length"}
    )
    cookies = sorted(line.partition("=")[0] for line in answer.headers.get_list("set-cookie"))
    head = [(key, re.sub(r"127\.0\.0\.1:\d+", "", value)) for key, value in head]
    return answer.status_code, head, cookies, _CHANGING.sub(b"", answer.content)

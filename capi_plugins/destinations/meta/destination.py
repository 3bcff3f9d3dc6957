"""The destination of kind ``meta``: a dataset of Meta's Conversions API."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

import orjson

from capi_plugins.browser import BrowserEvent, Cookie
from capi_plugins.consent import Consent
from capi_plugins.context import RequestContext
from capi_plugins.destinations.base import (
    Destination,
    Option,
    Outcome,
    Payload,
    Request,
    Response,
)
from capi_plugins.destinations.meta import browser_ids, outcome, payload, pixel, user_data
from capi_plugins.destinations.meta.fields import GRAPH_VERSIONS, MAX_BATCH
from capi_plugins.destinations.meta.places import COUNTRIES
from capi_plugins.events import Event, UserData
from capi_plugins.exceptions import ConfigurationError, InvalidEvent
from capi_plugins.leaving import pass_on
from capi_plugins.outbox.base import Delivery
from capi_plugins.version import __version__

_LOOPBACK = frozenset(["localhost", "127.0.0.1", "::1"])
_MAX_TEXT = 500
_VERSION = re.compile(r"v\d{1,3}\.\d{1,2}", re.ASCII)
# Meta: fewer than 23 characters, at least two letters; reports use the name in lower case.
_AGENT = re.compile(r"(?=(?:[^A-Za-z]*[A-Za-z]){2})[A-Za-z0-9_.-]{2,22}", re.ASCII)
_FUNCTION = cast("type", Callable)
_SECRET = re.compile(r"[\x21-\x7e]{1,1000}")


def _agent() -> str:
    major, minor = __version__.split(".")[:2]
    return f"capiplugins_{major}_{minor}"


class MetaDestination(Destination):
    """Sends events to ``POST {API_URL}/{API_VERSION}/{DATASET_ID}/events``.

    The access token travels in the body: URLs and headers end up in logs.

    Source: Meta's page *Using the Conversions API*.
    """

    KIND: ClassVar[str] = "meta"
    OPTIONS: ClassVar[tuple[Option, ...]] = (
        Option(name="DATASET_ID", types=(str, int), required=True, env=True),
        Option(name="ACCESS_TOKEN", types=(str, _FUNCTION), required=True, secret=True, env=True),
        Option(name="TEST_EVENT_CODE", env=True),
        Option(name="API_VERSION", default="v26.0"),
        Option(name="API_URL", default="https://graph.facebook.com"),
        Option(name="APP_SECRET", secret=True, env=True),
        Option(name="DEFAULT_COUNTRY"),
        Option(name="PARTNER_AGENT", default=_agent()),
        Option(name="NAMESPACE_ID", types=(str, int)),
        Option(name="UPLOAD_ID", types=(str, int)),
        Option(name="UPLOAD_TAG"),
        Option(name="UPLOAD_SOURCE"),
        Option(name="PIXEL_URL", default=pixel.SCRIPT_URL, env=True),
    )
    MAX_BATCH: ClassVar[int] = MAX_BATCH

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        """Check the options.

        Args:
            name: The destination's name in settings.
            options: Values by name, as in `OPTIONS`; absent and None mean the default.

        Raises:
            ConfigurationError: Naming every option that cannot be right, and no secret's value.
        """
        super().__init__(name, options)
        values = _checked(name, self.OPTIONS, options)
        country = values.get("DEFAULT_COUNTRY")
        self._default_country = country.lower() if country else None
        self.api_version: str = values["API_VERSION"]
        self._url = f"{values['API_URL']}/{self.api_version}/{values['DATASET_ID']}/events"
        self._values = values
        self._tail = ("", b"")
        self._dataset_id = str(values["DATASET_ID"])
        self._pixel_url: str = values["PIXEL_URL"]

    @property
    def api_version_ends(self) -> str | None:
        """The day Meta stops serving ``API_VERSION``, ISO 8601; None when none is announced."""
        return GRAPH_VERSIONS.get(self.api_version)

    def payload(self, event: Event, consent: Consent, *, now: float) -> Payload:
        """Normalise, hash, check and encode one event.

        Raises:
            InvalidEvent: Meta would refuse the event; the text says why.
        """
        if consent is Consent.DENIED:
            raise InvalidEvent("consent is denied")
        return payload.build(event, consent, now=now, default_country=self._default_country)

    def request(self, deliveries: Sequence[Delivery]) -> Request:
        """Join deliveries to one request, with the token in its body.

        Raises:
            ConfigurationError: ``ACCESS_TOKEN`` is a function, and gives no token.
        """
        token = self._token()
        if self._tail[0] != token:
            members = _members({**self._values, "ACCESS_TOKEN": token})
            self._tail = (token, b"]," + orjson.dumps(members)[1:])
        events = b",".join([delivery.payload for delivery in deliveries])
        return Request(
            url=self._url,
            headers={"content-type": "application/json"},
            body=b'{"data":[' + events + self._tail[1],
        )

    def _token(self) -> str:
        token: str | Callable[[], object] = self._values["ACCESS_TOKEN"]
        if isinstance(token, str):
            return token
        path = f"CAPI['DESTINATIONS'][{self.name!r}]['ACCESS_TOKEN']"
        try:
            found = token()
        except Exception as error:
            pass_on(error)
            raise ConfigurationError([f"{path} failed with {type(error).__name__}"]) from None
        found = found.strip() if isinstance(found, str) else ""
        if problem := _check_secret(found):
            raise ConfigurationError([f"{path} has given a token that {problem}"])
        return found

    def outcome(self, response: Response, deliveries: Sequence[Delivery]) -> Outcome:
        """Read the answer to a request; never raises."""
        return outcome.read(response, deliveries)

    def hashes_of(self, user: UserData) -> Sequence[str]:
        """Return the digests of e-mail addresses, phone numbers and external ids."""
        return user_data.digests_of_person(user, default_country=self._default_country)

    def browser_cookies(self, context: RequestContext, *, now: float) -> Sequence[Cookie]:
        """Make ``_fbc`` and ``_fbp``, as far as the visitor lacks them."""
        return browser_ids.cookies(context, now=now)

    def released_cookies(self, payload: Payload, context: RequestContext) -> Sequence[Cookie]:
        """Make ``_fbc`` of the click that led the visitor here."""
        return browser_ids.of_click(payload.body, context)

    def released(self, payloads: Sequence[bytes]) -> Sequence[bytes]:
        """Give later events the click that led the visitor here, as ``_fbc`` would have done."""
        return browser_ids.with_clicks(payloads)

    def browser_traces(self, context: RequestContext) -> Sequence[str]:
        """Return ``fbp`` as it stands in payloads."""
        return browser_ids.traces(context)

    def browser_event(self, payload: Payload) -> BrowserEvent | None:
        """Make what the pixel is to send."""
        return pixel.event_of(self.name, payload)

    def browser_script(
        self, visitor: Payload, events: Sequence[BrowserEvent], *, alone: bool
    ) -> str:
        """Write the code of the pixel."""
        return pixel.script(self._dataset_id, self._pixel_url, visitor, events, alone=alone)


def _members(values: Mapping[str, Any]) -> dict[str, str]:
    """What a request holds besides its events."""
    token = values["ACCESS_TOKEN"]
    members = {"access_token": token}
    if secret := values.get("APP_SECRET"):
        digest = hmac.new(secret.encode(), token.encode(), hashlib.sha256)
        members["appsecret_proof"] = digest.hexdigest()
    for option in (
        "TEST_EVENT_CODE",
        "PARTNER_AGENT",
        "NAMESPACE_ID",
        "UPLOAD_ID",
        "UPLOAD_TAG",
        "UPLOAD_SOURCE",
    ):
        if values.get(option):
            members[option.lower()] = str(values[option])
    return members


def _checked(name: str, known: Sequence[Option], options: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in defaults and check every option."""
    values: dict[str, Any] = {}
    problems = []
    for option in known:
        value = options.get(option.name)
        if isinstance(value, str):
            value = value.strip()
        if value is None or value == "":
            value = option.default
        problem = None
        if value is None:
            problem = "is required" if option.required else None
        elif not isinstance(value, option.types) or isinstance(value, bool):
            problem = f"must be {' or '.join(kind.__name__ for kind in option.types)}"
        elif callable(value):
            pass  # it is asked when the token is needed
        else:
            problem = _CHECKS.get(option.name, _check_text)(value)
        if problem:
            problems.append(f"CAPI['DESTINATIONS'][{name!r}][{option.name!r}] {problem}")
        values[option.name] = value
    if problems:
        raise ConfigurationError(problems)
    values["API_URL"] = values["API_URL"].rstrip("/")
    return values


def _check_dataset_id(value: str | int) -> str | None:
    if re.fullmatch(r"[0-9]{1,32}", str(value)):
        return None
    return "must be digits only: Events Manager shows it as Dataset ID"


def _check_secret(value: str) -> str | None:
    return None if _SECRET.fullmatch(value) else "must be text without spaces (value not shown)"


def _check_version(value: str) -> str | None:
    return None if _VERSION.fullmatch(value) else "must look like 'v26.0'"


def _check_url(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        local = parts.hostname in _LOOPBACK and parts.port != 0
    except ValueError:
        return "is not a URL"
    if not value.isascii() or not value.isprintable() or " " in value or not parts.hostname:
        return "is not a URL"
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        return "must begin with https:// (http:// only for this machine itself)"
    if parts.query or parts.fragment or parts.username is not None:
        return "must not have a query, a fragment or credentials"
    return None


def _check_country(value: str) -> str | None:
    if value.lower() in COUNTRIES:
        return None
    return "must be a two-letter ISO 3166 country code such as 'DE'"


def _check_agent(value: str) -> str | None:
    if _AGENT.fullmatch(value):
        return None
    return "must have fewer than 23 characters and at least two letters, such as 'shop_1_0'"


def _check_text(value: str | int) -> str | None:
    text = str(value)
    if len(text) <= _MAX_TEXT and text.isprintable():
        return None
    return f"must be printable text of at most {_MAX_TEXT} characters"


_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "DATASET_ID": _check_dataset_id,
    "ACCESS_TOKEN": _check_secret,
    "API_VERSION": _check_version,
    "API_URL": _check_url,
    "PIXEL_URL": _check_url,
    "APP_SECRET": _check_secret,
    "DEFAULT_COUNTRY": _check_country,
    "PARTNER_AGENT": _check_agent,
}

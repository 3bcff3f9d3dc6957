"""What else an event says: its own properties, and the values that settings name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capi_plugins.events import CustomData, FieldNote, UserData
from capi_plugins.segment.commerce import LISTED_UNDER
from capi_plugins.segment.message import Message, mapping, text, texts
from capi_plugins.segment.options import EventMapping, Finder, Options
from capi_plugins.segment.personal_names import is_personal_name
from capi_plugins.segment.private import Person, clean
from capi_plugins.segment.spec import IDS, fold

_MOST_PROPERTIES = 200
_DEVICE_TIMES = ("timestamp", "originalTimestamp", "sentAt")
_STANDARD: Mapping[str, str] = {
    fold(name): name
    for name in (
        "status",
        "delivery_category",
        "item_number",
        "store_data",
        "lead_event_source",
        "event_source",
        "product_catalog_id",
        "user_bucket",
        "description",
        "level",
        "max_rating_value",
        "success",
    )
}

# fmt: off
_ABOUT_THE_MESSAGE = frozenset([
    "eventid", "actionsource", "fbc", "fbp", "fbclid", "fbclidtime", "fbclidtimestamp",
    "externalid", "optout", "dataprocessingoptions", "dataprocessingoptionscountry",
    "dataprocessingoptionsstate", "limiteddatause", "ldu", "advertisertrackingenabled",
    "applicationtrackingenabled", "cookies", "cookie", "clientids", "path", "referrer", "search",
    "title", "url", "campaignids", "installreferrer", "installerpackage", "windowsattributionid",
    "ecommerce", "userdata", "clientipaddress", "clientuseragent", "madid", "productid", "price",
    "quantity", "category", "query", "currencycode",
])
# fmt: on
# Read elsewhere, or about the message and not about what happened.
_USED = (
    LISTED_UNDER
    | IDS.keys()
    | frozenset(fold(name) for name in CustomData.names() if name not in _STANDARD.values())
    | _ABOUT_THE_MESSAGE
)


def own_properties(message: Message, options: Options, person: Person) -> dict[str, Any]:
    """Return the properties that have no meaning to Meta, without what is personal.

    Args:
        message: The message.
        options: Whether they are wanted, and which.
        person: Whom the event is about.
    """
    found: dict[str, Any] = {}
    for key, value in mapping(message.raw.get("properties")).items():
        if len(found) >= _MOST_PROPERTIES:
            break
        name = fold(key) if isinstance(key, str) else ""
        if not name or name in _USED:
            continue
        known = _STANDARD.get(name)
        if known is None:
            wanted = options.properties
            if wanted is False or (wanted is not True and name not in wanted):
                continue
            if is_personal_name(key) or person.is_in(key):
                continue
        kept = clean(value, person.is_in)
        if kept is not None:
            found[known or key] = kept
    return found


class Mapped:
    """The values that ``CAPI["SEGMENT"]["EVENTS"]`` names for one event.

    Args:
        wanted: What the settings say.
        message: The message.
        notes: Receives the paths that lead nowhere.
    """

    def __init__(self, wanted: EventMapping, message: Message, notes: list[FieldNote]) -> None:
        self._wanted = wanted
        self._notes = notes
        raw = message.raw
        traits: dict[str, Any] = {}
        for place in (raw.get("traits"), mapping(raw.get("context")).get("traits")):
            traits |= mapping(place)
        self._offer: Mapping[str, Any] = {
            **{str(key): value for key, value in raw.items()},
            "message": raw,
            "properties": mapping(raw.get("properties")),
            "context": mapping(raw.get("context")),
            "traits": traits,
        }

    def user_data(self, user: UserData) -> UserData:
        """Return the match keys that are named, and beside them those that were found."""
        named: dict[str, Any] = {
            name: found
            for name, finder in self._wanted.user_data.items()
            if (found := texts(self._find(f"user_data.{name}", finder))) is not None
        }
        return UserData(**named).fill(user) if named else user

    def custom_data(self, person: Person) -> dict[str, Any]:
        """Return the fields that are named, without what is personal."""
        return {
            name: kept
            for name, finder in self._wanted.custom_data.items()
            if (kept := clean(self._find(f"custom_data.{name}", finder), person.is_named_by))
            is not None
        }

    def event_id(self) -> str | None:
        """Return the business key, if one is named and there."""
        finder = self._wanted.event_id
        return None if finder is None else text(self._find("event_id", finder))

    def holds(self) -> bool:
        """Whether the conditions hold."""
        for finder, wanted in self._wanted.when:
            lost: list[str] = []
            value = finder.find(self._offer, lost)
            if lost or value not in (wanted if isinstance(wanted, list | tuple) else [wanted]):
                return False
        return True

    def placed(self) -> dict[str, Any]:
        """Return the message with the time and the place that are named."""
        raw = dict(self._offer["message"])
        found = {name: self._find(name, finder) for name, finder in self._wanted.place.items()}
        when, source, url = (
            found.get(name) for name in ("event_time", "action_source", "event_source_url")
        )
        if when is not None:
            # It is no reading of the device's clock, and is not corrected like one.
            raw = {key: value for key, value in raw.items() if key not in _DEVICE_TIMES}
            raw["timestamp"] = when
        if source is not None:
            own = {key: value for key, value in self._offer["properties"].items()
                   if fold(str(key)) != "actionsource"}  # fmt: skip
            raw["properties"] = {**own, "action_source": source}
        if url is not None:
            context = self._offer["context"]
            raw["context"] = {**context, "page": {**mapping(context.get("page")), "url": url}}
        return raw

    def _find(self, field: str, finder: Finder) -> Any:
        lost: list[str] = []
        value = finder.find(self._offer, lost)
        self._notes.extend(FieldNote(field, f"path {path!r} leads nowhere") for path in lost)
        return value

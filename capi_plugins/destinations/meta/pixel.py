"""The code of the pixel: Meta's script, asked for once, and what it is to send.

Sources: Meta's pages *Get Started* of the Meta Pixel (``fbq``, its queue, ``init``, ``track``),
*Handling Duplicate Pixel and Conversions API Events* (``eventID``) and *Data Processing Options*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from capi_plugins.browser import BrowserEvent, in_script
from capi_plugins.destinations.base import Payload
from capi_plugins.destinations.meta.fields import STANDARD_EVENTS

SCRIPT_URL = "https://connect.facebook.net/en_US/fbevents.js"
"""Where Meta serves the pixel's script."""

# Calls wait in a queue until the script has come and takes them over. Moves inside a page of one
# script send nothing by themselves: the server would have no event of the same id.
_LOADER = """\
(function(page, src) {
  if (page.fbq) return;
  var fbq = page.fbq = function() {
    if (fbq.callMethod) fbq.callMethod.apply(fbq, arguments); else fbq.queue.push(arguments);
  };
  if (!page._fbq) page._fbq = fbq;
  fbq.push = fbq;
  fbq.loaded = true;
  fbq.version = "2.0";
  fbq.queue = [];
  fbq.disablePushState = true;
  var script = page.document.createElement("script");
  var own = page.document.currentScript;
  if (own && own.nonce) script.nonce = own.nonce;
  script.async = true;
  script.src = src;
  page.document.head.appendChild(script);
})(window, %s);
"""


def event_of(destination: str, payload: Payload) -> BrowserEvent:
    """Make the browser's twin of an event.

    Args:
        destination: The destination's name.
        payload: What the server sends.
    """
    wire = orjson.loads(payload.body)
    return BrowserEvent(
        destination=destination,
        event_name=wire["event_name"],
        event_id=wire["event_id"],
        custom_data=wire.get("custom_data") or {},
    )


def script(
    dataset_id: str,
    script_url: str,
    visitor: Payload,
    events: Sequence[BrowserEvent],
    *,
    alone: bool,
) -> str:
    """Write the code for one page.

    Args:
        dataset_id: The dataset.
        script_url: Where the pixel's script is.
        visitor: A payload of this visitor: says who it is, and whether use of the data is limited.
        events: What the browser is to send.
        alone: Whether this is the only dataset of the page; else each event names its own.
    """
    wire = orjson.loads(visitor.body)
    lines = [_LOADER % in_script(script_url)]
    if options := wire.get("data_processing_options"):
        places = (wire.get(f"data_processing_options_{name}", 0) for name in ("country", "state"))
        lines.append(_call("dataProcessingOptions", options, *places))
    lines.append(_call("init", dataset_id, _matching(wire.get("user_data") or {})))
    for event in events:
        custom = "" if event.event_name in STANDARD_EVENTS else "Custom"
        to = (f"track{custom}",) if alone else (f"trackSingle{custom}", dataset_id)
        identity = {"eventID": event.event_id}
        lines.append(_call(*to, event.event_name, event.custom_data, identity))
    return "".join(lines)


def _matching(user_data: Mapping[str, Any]) -> dict[str, str]:
    """What the pixel is told of the person: the same hashed id that the server sends."""
    found = user_data.get("external_id")
    first = found[0] if isinstance(found, list) and found else found
    return {"external_id": first} if isinstance(first, str) else {}


def _call(*arguments: object) -> str:
    return f"fbq({', '.join(in_script(argument) for argument in arguments)});\n"

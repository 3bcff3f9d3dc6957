"""Meta Conversions API for Django and Flask, by configuration alone.

Most projects need no code at all: see ``capi_django`` and ``capi_flask``. This package is for
plugins, and for events that a program makes itself.
"""

from __future__ import annotations

from capi_plugins._client import Client
from capi_plugins._configure import configure
from capi_plugins._delivery import FlushResult
from capi_plugins._paths import Find
from capi_plugins._pipeline import Processed
from capi_plugins._scope import RequestScope
from capi_plugins._triggers import Trigger
from capi_plugins.consent import Consent
from capi_plugins.context import FinishedRequest, RequestContext
from capi_plugins.events import (
    AppData,
    Content,
    CustomData,
    Event,
    FieldNote,
    UserData,
)
from capi_plugins.exceptions import (
    CapiError,
    ConfigurationError,
    DropEvent,
    InvalidEvent,
    InvalidSignature,
    PluginError,
    TransportError,
    UnknownSource,
    WebhookError,
)
from capi_plugins.hookspecs import hookimpl
from capi_plugins.version import __version__

__all__ = [
    "AppData",
    "CapiError",
    "Client",
    "ConfigurationError",
    "Consent",
    "Content",
    "CustomData",
    "DropEvent",
    "Event",
    "FieldNote",
    "Find",
    "FinishedRequest",
    "FlushResult",
    "InvalidEvent",
    "InvalidSignature",
    "PluginError",
    "Processed",
    "RequestContext",
    "RequestScope",
    "TransportError",
    "Trigger",
    "UnknownSource",
    "UserData",
    "WebhookError",
    "__version__",
    "configure",
    "hookimpl",
]

"""Which page a view rendered, and with what context; looked at only while a trigger asks for it.

Every page that Django's own template engine renders for a request is bound to its template in
``RequestContext.bind_template``, the one moment at which the values of context processors are
there. E-mails are rendered without a request, and pass by.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import attrs
from django.template import RequestContext

from capi_plugins import Trigger
from capi_plugins.trigger_rules import reads

_log = logging.getLogger("capi_plugins.django")
_original = RequestContext.bind_template

pages: contextvars.ContextVar[list[Page] | None] = contextvars.ContextVar(
    "capi_pages", default=None
)
"""Where the pages of the current request are kept; None outside a request."""


@attrs.frozen(kw_only=True)
class Page:
    """A page that was rendered.

    Attributes:
        name: Name of the template.
        context: What was in its context, values of context processors included.
    """

    name: str | None
    context: Mapping[str, Any] = attrs.field(repr=False)


def watch(triggers: Iterable[Trigger]) -> Callable[[], None]:
    """Look at rendered pages if one of the triggers asks for them.

    Args:
        triggers: All triggers in force.

    Returns:
        Ends it.
    """
    if any(trigger.template is not None or reads(trigger, "context") for trigger in triggers):
        watch_all()
    return _unwatch


def watch_all() -> None:
    """Look at every rendered page."""
    RequestContext.bind_template = _bind_template  # type: ignore[method-assign, assignment]


def _unwatch() -> None:
    if RequestContext.bind_template is _bind_template:
        RequestContext.bind_template = _original  # type: ignore[method-assign]


@contextlib.contextmanager
def _bind_template(context: RequestContext, template: Any) -> Iterator[None]:
    with _original(context, template):
        page = _page(context, template)
        yield
        if page is not None:
            # Only now: whatever it includes has been rendered before, and it did not fail.
            kept, rendered = page
            kept.append(rendered)


def _page(context: RequestContext, template: Any) -> tuple[list[Page], Page] | None:
    try:
        kept = pages.get()
        if kept is None:
            return None
        return kept, Page(name=template.name, context={**context.flatten()})  # type: ignore[dict-item]
    except Exception as error:
        _log.error("looking at a rendered page failed with %s", type(error).__name__)
        return None

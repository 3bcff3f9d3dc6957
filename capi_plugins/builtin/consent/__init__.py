"""Reads the consent that a site's banner already asked for: ``CAPI["CONSENT"]["SOURCES"]``.

The strictest answer of all sources wins; a source that knows nothing says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from capi_plugins.builtin.consent import banners, browser_only, custom, django_apps, signals
from capi_plugins.builtin.consent.banners import Reader
from capi_plugins.consent import Decision, strictest
from capi_plugins.context import RequestContext
from capi_plugins.exceptions import ConfigurationError
from capi_plugins.hookspecs import hookimpl
from capi_plugins.settings import Section, Settings, suggest

SOURCES: Mapping[str, Callable[[Section], Reader]] = MappingProxyType(
    {
        "onetrust": banners.onetrust,
        "cookiebot": banners.cookiebot,
        "cookieyes": banners.cookieyes,
        "complianz": banners.complianz,
        "cc_cookie": banners.cc_cookie,
        "django_cookie_consent": django_apps.django_cookie_consent,
        "didomi": banners.didomi,
        "shopify": banners.shopify,
        "bridge": browser_only.bridge,
        "google_consent_mode": browser_only.google_consent_mode,
        "termly": browser_only.termly,
        "tcf": signals.tcf,
        "usprivacy": signals.usprivacy,
        "gpp": signals.gpp,
        "gpc": signals.gpc,
        "dnt": signals.dnt,
    }
)
"""The sources that have a name."""


class ConsentSources:
    """The built-in ``capi_consent``."""

    def __init__(self) -> None:
        self._readers: tuple[tuple[str, Reader], ...] = ()

    @hookimpl
    def capi_configure(self, settings: Settings) -> None:
        """Make the readers of the sources.

        Raises:
            ConfigurationError: A source is not known, or its options are wrong.
        """
        problems: list[str] = []
        self._readers = tuple(
            (
                name_of(source),
                make_reader(source, f"CAPI['CONSENT']['SOURCES'][{number}]", problems),
            )
            for number, source in enumerate(settings.consent.sources)
        )
        if problems:
            raise ConfigurationError(problems)

    @hookimpl
    def capi_consent(self, context: RequestContext) -> Decision | None:
        """Ask every source; the first with the strictest answer is named."""
        told = [
            Decision(answer, name)
            for name, read in self._readers
            if (answer := read(context)) is not None
        ]
        if len(told) < 2:  # noqa: PLR2004 - there is nothing to compare
            return told[0] if told else None
        strict = strictest(decision.consent for decision in told)
        return next(decision for decision in told if decision.consent is strict)


def name_of(source: str | Mapping[str, Any]) -> str:
    """Call a source what its settings call it: its name, its path, or its cookie or header.

    Args:
        source: A name, a dotted path, or a dictionary with options.
    """
    if isinstance(source, str):
        return source
    for key, prefix in (("SOURCE", ""), ("COOKIE", "cookie "), ("HEADER", "header ")):
        if isinstance(found := source.get(key), str):
            return f"{prefix}{found}"
    return ""


def make_reader(source: str | Mapping[str, Any], path: str, problems: list[str]) -> Reader:
    """Make the reader of one source.

    Args:
        source: A name, a dotted path, or a dictionary with options.
        path: Where it stands in the settings.
        problems: Receives sentences about mistakes.
    """
    section = Section(path, {"SOURCE": source} if isinstance(source, str) else source, problems)
    name = section.take("SOURCE", str)
    if name is None:
        reader = custom.described(section)
    elif name in SOURCES:
        reader = SOURCES[name](section)
    elif "." in name:
        reader = custom.function(name, section)
    else:
        problems.append(f"{path} {name!r} is not a consent source; {suggest(name, SOURCES)}")
        return lambda _: None
    section.done()
    return reader

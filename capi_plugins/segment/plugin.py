"""The built-in plugin ``segment``: the sources that ``CAPI["SEGMENT"]`` asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from capi_plugins.hookspecs import hookimpl
from capi_plugins.segment.convert import Converter
from capi_plugins.segment.options import Options
from capi_plugins.segment.taps import Taps
from capi_plugins.segment.tracking import TrackingApi
from capi_plugins.segment.webhooks import WEBHOOKS
from capi_plugins.sources.base import Source

if TYPE_CHECKING:
    from capi_plugins import Client


class SegmentPlugin:
    """Offers the tracking API and the webhooks, and taps the libraries of this process.

    Args:
        options: ``CAPI["SEGMENT"]``, read.
        clock: Seconds since the epoch.
    """

    def __init__(self, options: Options, clock: Callable[[], float]) -> None:
        self._converter = Converter(options, clock=clock)
        self._taps: Taps | None = None

    @hookimpl
    def capi_sources(self) -> Iterable[Source]:
        """Offer what somebody may send to: without a key or a secret nobody may."""
        ingest = self._converter.options.ingest
        sources: list[Source] = [TrackingApi(self._converter)] if ingest.write_keys else []
        for name, secrets in ingest.webhooks.items():
            sources.append(WEBHOOKS[name](self._converter, secrets))
        return sources

    def tap(self, client: Client) -> None:
        """Begin to take what libraries of this process send elsewhere.

        Args:
            client: Who gets the events.
        """
        if names := self._converter.options.ingest.tap:
            self._taps = Taps(client, self._converter, names)
            self._taps.open()

    @hookimpl
    def capi_shutdown(self) -> None:
        """Leave the libraries as they were."""
        if self._taps is not None:
            self._taps.close()

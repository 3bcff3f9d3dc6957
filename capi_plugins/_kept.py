"""What is kept of shoppers, as its users see it: old entries do not count, and trouble has a limit.

Contexts are kept where deliveries wait: the outbox decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from capi_plugins._trouble import Tell, Trouble
from capi_plugins.context_store import ContextStore, ShopperContext

_DAY = 86_400.0


class KeptContexts:
    """The context store of one client.

    Args:
        contexts: Returns where contexts are kept.
        days: How long; 0: nothing is kept.
        tell: Logs what goes wrong.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        contexts: Callable[[], ContextStore],
        days: float,
        tell: Tell,
        clock: Callable[[], float],
    ) -> None:
        self.now = clock
        self._contexts = contexts
        self._seconds = days * _DAY
        self._trouble = Trouble(tell)

    @property
    def usable(self) -> bool:
        """Whether anything is kept, and the store gave no trouble a moment ago."""
        return self._seconds > 0 and not self._trouble.is_recent

    def find(self, keys: Sequence[str]) -> dict[str, ShopperContext]:
        """Return what is kept under some keys.

        Args:
            keys: The keys.
        """
        if not keys:
            return {}
        found = self._contexts().find(keys)
        return {key: context for key, context in found.items() if context.at >= self._oldest}

    def keep(
        self, context: ShopperContext, *, replace: Collection[str], add: Collection[str]
    ) -> None:
        """Keep a context.

        Args:
            context: The context.
            replace: Keys under which it takes the place of what is there.
            add: Keys under which it is kept unless something is there.
        """
        self._contexts().keep(context, replace=replace, add=add, oldest=self._oldest)

    def failed(self, where: str, error: Exception) -> None:
        """Note that the store failed; it is left alone for a moment.

        Args:
            where: What was being done.
            error: What was raised.
        """
        self._trouble.met(where, error)

    @property
    def _oldest(self) -> float:
        return self.now() - self._seconds

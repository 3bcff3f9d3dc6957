"""The faults waiting to be shown."""

from __future__ import annotations

import threading

import attrs

from capi_plugins.sandbox.faults import Fault, Group


class Faults:
    """The faults in force, used up in the order in which they were injected."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.released = threading.Event()

    def inject(self, fault: Fault) -> None:
        """Add a fault behind those of its group."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults and release the requests that wait."""
        with self._lock:
            self._faults.clear()
        self.release()

    def release(self) -> None:
        """Let go the requests that hang or wait; faults not yet shown stay."""
        with self._lock:
            self.released.set()
            self.released = threading.Event()

    def take(self) -> dict[Group, Fault]:
        """Return the faults for one request, one of each group, and count them as used."""
        taken: dict[Group, Fault] = {}
        with self._lock:
            kept = []
            for fault in self._faults:
                if fault.group in taken:
                    kept.append(fault)
                    continue
                taken[fault.group] = fault
                if fault.times is None:
                    kept.append(fault)
                elif fault.times > 1:
                    kept.append(attrs.evolve(fault, times=fault.times - 1))
            self._faults = kept
        return taken

    @property
    def pending(self) -> list[Fault]:
        """The faults still to be shown."""
        with self._lock:
            return list(self._faults)

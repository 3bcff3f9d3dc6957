"""Everything of ours that can fail fails: hooks, receivers, and the store."""

from capi_plugins import hookimpl, signals
from capi_plugins.outbox.memory import MemoryOutbox


def fail(*_, **__):
    raise RuntimeError("sabotage")


class Saboteur:
    @hookimpl
    def capi_route(self):
        fail()

    @hookimpl
    def capi_consent(self):
        fail()

    @hookimpl
    def capi_enrich(self):
        fail()

    @hookimpl
    def capi_filter(self):
        fail()

    @hookimpl
    def capi_send(self):
        fail()

    @hookimpl
    def capi_shutdown(self):
        fail()

    @hookimpl
    def capi_triggers(self):
        fail()


class BrokenOutbox(MemoryOutbox):
    put = take = settle = stats = close = fail


def outbox(settings):
    return BrokenOutbox()


for name in vars(signals):
    signal = getattr(signals, name)
    if name.islower() and hasattr(signal, "receivers_for"):
        signal.connect(fail, weak=False)

# A consent hook that raises stops an event early, so half of the runs go on to the store.
HOOKS = {"PLUGINS": [Saboteur()]}
STORE = {"DELIVERY": {"OUTBOX": "sabotage.outbox"}, "CONSENT": {"DEFAULT": "granted"}}

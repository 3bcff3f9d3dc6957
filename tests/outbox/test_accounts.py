"""What every outbox has to do: nothing is lost or given twice, whoever does what when."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capi_plugins.testing.outbox_trial import delivery
from tests.core.paper import Clock
from tests.outbox.conforming import take

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 12)),
        st.tuples(st.just("take"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["delivered", "dead"]), st.integers(1, 3)),
        st.tuples(st.just("retry"), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.integers(0, 3)),
    ),
    max_size=40,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(STEPS)
def test_captured_is_delivered_plus_dead_plus_waiting_plus_refused(new, steps):
    clock = Clock()
    outbox = new(clock=clock)
    conserves(outbox, clock, steps)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(STEPS)
def test_a_bounded_outbox_keeps_its_bound_and_its_accounts(bounded, steps):
    clock = Clock()
    outbox = bounded(max_deliveries=6, clock=clock)
    conserves(outbox, clock, steps, most=6)


def conserves(outbox, clock, steps, most=100):
    leased, told = [], {"put": 0, "delivered": 0, "dead": 0}
    for step, number in steps:
        if step == "put":
            stored = outbox.put([delivery(str(number))])
            told["put"] += not (stored.refused or stored.duplicates)
        elif step == "take":
            leased += take(outbox, limit=number, now=clock())
        elif step == "wait":
            clock.advance(number)
        elif step == "retry":
            outbox.retry(leased, at=clock() + number, attempt=True)
            leased = []
        else:
            part, leased = leased[:number], leased[number:]
            more = {"reason": "x"} if step == "dead" else {}
            getattr(outbox, step)(part, **more)
            told[step] += len(part)
        stats = outbox.stats()
        assert stats.waiting == told["put"] - told["delivered"] - told["dead"] <= most
        assert stats.dead == told["dead"]
        due = outbox.next_due("paper")
        assert (due is not None) == bool(outbox.waiting_for())
        assert len({item.event_id for item in leased}) == len(leased)

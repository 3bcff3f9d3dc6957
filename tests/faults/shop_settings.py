"""The settings of a client that sends to a sandbox."""

from __future__ import annotations


def settings(url, outbox, **delivery):
    """What ``configure`` takes.

    Args:
        url: Of the sandbox.
        outbox: Path of a SQLite file, or what ``OUTBOX`` may be.
        delivery: Further keys of ``DELIVERY``.
    """
    where = outbox if isinstance(outbox, str) else f"sqlite:///{outbox}"
    meta = {"DATASET_ID": "1234567890", "ACCESS_TOKEN": "secret-token", "API_URL": url}
    return {
        "DESTINATIONS": {"meta": meta},
        "CONSENT": {"DEFAULT": "granted"},
        "DELIVERY": {"OUTBOX": where, "EXIT_TIMEOUT": 1, **delivery},
    }

"""What the shops answer, who are held to it: 200 is a promise that the event is stored."""


def honest(status, client):
    """Make 200 a 202 where the SQLite file was busy: what is in memory is not promised."""
    in_file = "sqlite" in client.settings.delivery.outbox
    return "202 Accepted" if status == "200 OK" and in_file and client.stats().in_memory else status

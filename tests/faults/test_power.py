"""The power goes: what the disk holds then is made from every write and sync of a process."""

from __future__ import annotations

import contextlib
import random
import sqlite3

import pytest

from tests.faults.disk import preloaded, steps
from tests.outbox.other_process import OtherProcess

PUTS = 40


def after(path, folder, files):
    """Open what the disk would hold; return the event ids in it."""
    copy = folder / "outbox.sqlite3"
    for suffix in ("", "-wal", "-shm"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        if content := files.get(f"{path}{suffix}"):
            copy.with_name(copy.name + suffix).write_bytes(content)
    if not copy.exists():
        return []
    with contextlib.closing(sqlite3.connect(copy)) as found:
        found.execute("PRAGMA synchronous = OFF")
        assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not found.execute("SELECT 1 FROM sqlite_schema").fetchone():
            return []
        return [each for (each,) in found.execute("SELECT event_id FROM delivery ORDER BY id")]


def cuts(path, trace):
    """Every moment at which the power may go: what is on the disk, and what was promised.

    The disk holds what was synced, and of the writes since then none, the first few, or any.
    """
    rng = random.Random(7)
    held, pending, acks = {}, {}, f"{path}.acks"
    for step in steps(trace):
        if step.path == acks:
            held.setdefault(acks, bytearray()).extend(step.data)
            continue
        waiting = pending.setdefault(step.path, [])
        if step.operation == "s":
            for each in waiting:
                each.apply(held.setdefault(step.path, bytearray()))
            waiting.clear()
        else:
            waiting.append(step)
        promised = held.get(acks, b"").decode().split()
        everything = {name: bytearray(content) for name, content in held.items()}
        yield everything, promised
        if rng.random() < 0.3:
            for name, some in pending.items():
                if rng.random() < 0.5:
                    chosen = some[: rng.randint(0, len(some))]
                else:
                    chosen = [each for each in some if rng.random() < 0.5]
                for each in chosen:
                    each.apply(everything.setdefault(name, bytearray()))
            yield everything, promised


@pytest.mark.fault("B12")
@pytest.mark.parametrize("power_safe", [False, True])
def test_what_is_on_the_disk_is_sound_whenever_the_power_goes(path, tmp_path, power_safe):
    """Every write and sync of a process that stores events is recorded, checkpoints among them.

    What the disk holds at each of these moments is a sound file with the first of the events, in
    order and without a gap. With `power_safe` all are in it that were promised by then.
    """
    path.parent.mkdir(mode=0o700)
    trace = tmp_path / "trace"
    environ = preloaded(tmp_path, path.name, trace=trace)
    with OtherProcess(path, **environ) as process:
        process.ask(
            f"globals().__setitem__('box', type(outbox)(path, power_safe={power_safe})) or "
            "globals().__setitem__('acks', os.open(path + '.acks', os.O_CREAT | os.O_WRONLY))"
        )
        for number in range(PUTS):
            process.ask(f"box.put([delivery('{number}', payload=b'x' * 700)]) and None")
            process.ask(f"os.write(acks, b'{number} ')")
            if number % 15 == 14:
                process.ask("box._tidying.tidy()")
    names = [str(number) for number in range(PUTS)]
    folder = tmp_path / "copies"
    folder.mkdir()
    seen, most, lost = 0, 0, 0
    for files, promised in cuts(path, trace):
        found = after(path, folder, files)
        assert found == names[: len(found)]
        lost = max(lost, len(promised) - len(found))
        seen += 1
        most = max(most, len(found))
    assert seen > 2 * PUTS
    assert most >= 30
    assert (lost == 0) is power_safe

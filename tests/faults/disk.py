"""A disk that fails, or whose writes are written down: ``disk.c``, preloaded into a process."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import attrs
import pytest

_RECORD = struct.Struct("=iiqq")


def preloaded(folder, name, **more):
    """What the environment of a process has to hold.

    Args:
        folder: Where the library is made.
        name: Part of the names of the files that are meant.
        more: ``trace`` or ``fail``, see ``disk.c``.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    library = folder / "disk.so"
    source = Path(__file__).with_name("disk.c")
    subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl", "-lpthread"],
        check=True,
        timeout=60,
    )
    found = {f"CAPI_DISK_{key.upper()}": str(value) for key, value in more.items()}
    return {"LD_PRELOAD": str(library), "CAPI_DISK_NAME": name, **found}


@attrs.frozen
class Step:
    """Something that was done to a file.

    Attributes:
        operation: ``w`` write, ``a`` append, ``t`` truncate, ``s`` sync.
        path: Which file.
        offset: Where.
        length: How much, or how long it is then.
        data: What was written.
    """

    operation: str
    path: str
    offset: int
    length: int
    data: bytes = attrs.field(repr=False)

    def apply(self, content):
        """Do it to the content of a file."""
        if self.operation == "t":
            del content[self.length :]
            content.extend(b"\0" * (self.length - len(content)))
        elif self.operation in "aw":
            start = len(content) if self.operation == "a" else self.offset
            content.extend(b"\0" * (start - len(content)))
            content[start : start + len(self.data)] = self.data


def steps(trace):
    """Read what ``disk.c`` has written."""
    data, at = trace.read_bytes(), 0
    while at < len(data):
        operation, name, offset, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        path = data[at : at + name].decode()
        at += name
        size = length if chr(operation) in "aw" else 0
        yield Step(chr(operation), path, offset, length, data[at : at + size])
        at += size

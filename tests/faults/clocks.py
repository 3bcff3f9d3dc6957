"""Programs whose wall clock is not that of the machine."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess

from tests.faults.serving import HOSTS, missing


class WallClock:
    """A wall clock that can be set while programs run.

    Attributes:
        environ: What programs need in their environment to see it.
    """

    def __init__(self, folder):
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            missing("no C compiler to build hosts/clock.c with")
        library = folder / "clock.so"
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", library, HOSTS / "clock.c", "-ldl"],
            check=True,
            timeout=60,
        )
        self._file = folder / "clock"
        self._file.write_bytes(bytes(8))
        self.environ = {"LD_PRELOAD": str(library), "WALL_CLOCK": str(self._file)}

    def set(self, seconds):
        """Set it ahead of that of the machine, or behind it."""
        # In place, and in one write: programs look at it all the time.
        file = os.open(self._file, os.O_WRONLY)
        os.pwrite(file, struct.pack("q", seconds), 0)
        os.close(file)

"""Run pyright; where it cannot be had, say so, unless everything is required."""

from __future__ import annotations

import os
import subprocess
import sys

probe = subprocess.run(
    [sys.executable, "-m", "pyright", "--version"], capture_output=True, text=True, check=False
)
if probe.returncode != 0:
    sys.stderr.write("pyright cannot run here (it needs Node.js): left out\n")
    sys.exit(1 if os.environ.get("CAPI_REQUIRE_SERVICES") else 0)
sys.exit(
    subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable], check=False
    ).returncode
)

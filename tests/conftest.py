from __future__ import annotations

import os

from hypothesis import settings

# How long an example takes depends on what else the machine does; what blocks a change must not
# depend on chance, so a CI run tries the same examples every time.
settings.register_profile("capi", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("capi")

"""Goes on journeys in an example shop, and says what ought to have arrived because of them.

python -m examples.shopping http://127.0.0.1:8000            # every journey
python -m examples.shopping http://127.0.0.1:8000 buy lead   # some of them
"""

from __future__ import annotations

import sys

from . import JOURNEYS, Shopper


def main(arguments: list[str]) -> None:
    """Go on the named journeys, or on all of them, and say what ought to have arrived."""
    base_url, *names = arguments
    for name in names or JOURNEYS:
        with Shopper(base_url) as shopper:
            expected = JOURNEYS[name](shopper)
        print(f"{name} ({shopper.email})")
        for expectation in expected:
            if expectation.count:
                of = f"{expectation.value} {expectation.currency}" if expectation.value else ""
                print(f"  {expectation.count:>2} x {expectation.event_name:<21} {of}".rstrip())
        if not any(expectation.count for expectation in expected):
            print("  nothing")


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(sys.argv[1:])

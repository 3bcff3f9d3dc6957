"""``python -m capi_plugins.sandbox``: run a sandbox in the foreground."""

from __future__ import annotations

import argparse

from capi_plugins.sandbox.run import serve


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m capi_plugins.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8900, help="TCP port, 0 for any free one")
    parser.add_argument("--mode", choices=["strict", "meta"], default="strict")
    parser.add_argument(
        "--dataset",
        action="append",
        metavar="ID=TOKEN",
        help="a dataset and its token; without any, every id and token is taken",
    )
    parser.add_argument("--app-secret", help="check appsecret_proof against this secret")
    parser.add_argument(
        "--allow-host", action="append", default=[], help="another host name of the page"
    )
    options = parser.parse_args()
    datasets = None
    if options.dataset:
        datasets = dict(pair.partition("=")[::2] for pair in options.dataset)
    return serve(
        options.host,
        options.port,
        options.mode,
        datasets=datasets,
        app_secret=options.app_secret,
        allowed_hosts=options.allow_host,
    )


if __name__ == "__main__":
    raise SystemExit(main())

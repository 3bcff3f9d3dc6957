"""The example shops with the pixel on, a stand-in for Meta's script, and a real browser."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
import pytest

from capi_plugins.cli.shops import SHOPS, examples, serving
from capi_plugins.sandbox import Sandbox

_NUMBERS = itertools.count(537)
BY_NAME = {shop.name: shop for shop in SHOPS}
BY_NAME["django, ASGI"] = attrs.evolve(
    BY_NAME["django"], run=("-m", "uvicorn", "shop.asgi:application", "--port", "{port}")
)
# Does with the queue what Meta's script does: takes what waits, then every further call.
SCRIPT = """\
(function() {
  function send() {
    var call = JSON.stringify([].slice.call(arguments));
    fetch("%s/tr", {method: "POST", mode: "no-cors", keepalive: true, body: call});
  }
  fbq.callMethod = send;
  while (fbq.queue.length) send.apply(null, fbq.queue.shift());
})();
"""


class Pixel:
    """Serves the script and takes what it sends from the pages of one test.

    Attributes:
        calls: What was sent.
        agent: How the user agent of these pages ends; what other pages left behind comes later.
    """

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.agent = ""
        pixel = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = (SCRIPT % pixel.url).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.headers["User-Agent"].endswith(pixel.agent):
                    pixel.calls.append(call)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def events(self) -> list[tuple[str, str]]:
        """Name and id of every event, in order."""
        return [(call[1], call[3]["eventID"]) for call in self.calls if call[0].startswith("track")]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture(scope="session")
def pixel_server() -> Iterator[Pixel]:
    made = Pixel()
    yield made
    made.close()


@pytest.fixture
def pixel(pixel_server: Pixel) -> Pixel:
    pixel_server.agent = f"Safari/{next(_NUMBERS)}"
    pixel_server.calls.clear()
    return pixel_server


@attrs.define
class Running:
    """A shop that runs."""

    url: str
    sandbox: Sandbox

    @property
    def events(self) -> list[tuple[str, str]]:
        """Name and id of what the server has sent."""
        return [(each.name, each.payload["event_id"]) for each in self.sandbox.accepted()]

    def user_data(self) -> list[dict[str, Any]]:
        return [each.payload["user_data"] for each in self.sandbox.accepted()]


@pytest.fixture(scope="session")
def run_shop(
    tmp_path_factory: pytest.TempPathFactory, pixel_server: Pixel
) -> Iterator[Callable[..., Running]]:
    """Start a shop; one that was started already is used again, with an empty sandbox."""
    found: dict[tuple[str, ...], Running] = {}
    with contextlib.ExitStack() as stack:

        def run(name: str, **environ: str) -> Running:
            key = (name, *environ)
            if key not in found:
                sandbox = stack.enter_context(Sandbox())
                settings = {
                    "SANDBOX_URL": sandbox.url,
                    "CAPI_META_PIXEL_URL": f"{pixel_server.url}/fbevents.js",
                    "SHOP_PIXEL": "1",
                    **environ,
                }
                scratch = tmp_path_factory.mktemp("shop")
                url = stack.enter_context(serving(BY_NAME[name], examples(), scratch, settings))
                found[key] = Running(url, sandbox)
            found[key].sandbox.clear()
            return found[key]

        yield run


@pytest.fixture(params=["django", "flask"])
def shop(request: pytest.FixtureRequest, run_shop: Callable[..., Running], pixel: Pixel) -> Running:
    return run_shop(request.param)


@pytest.fixture
def page(browser: Any, pixel: Pixel) -> Iterator[Any]:
    # A user agent of a person's browser: "HeadlessChrome" counts as a bot.
    agent = f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 {pixel.agent}"
    context = browser.new_context(user_agent=agent, locale="en")
    yield context.new_page()
    context.close()

"""``capi demo``: example shops wired to a sandbox, and purchases made through real HTTP."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import click
from rich.console import Console

from capi_plugins.cli.demo_report import show_events, show_journeys
from capi_plugins.cli.journeys import Journey, due, judge, load_script, travel
from capi_plugins.cli.shops import SHOPS, Shop, ShopFailed, examples, serving
from capi_plugins.sandbox import Sandbox

_TOKEN = "sandbox-token"  # noqa: S105 - the sandbox's own
_ARRIVED_WITHIN = 20.0


@attrs.define
class Result:
    """What became of one shop's visit.

    Attributes:
        shop: Which shop.
        arrived: How many events were accepted.
        journeys: The journeys made.
        wrong: What is not as it should be, a sentence each.
    """

    shop: Shop
    arrived: int = 0
    journeys: list[Journey] = attrs.field(factory=list)
    wrong: list[str] = attrs.field(factory=list)


@click.command()
@click.option("--only", type=click.Choice([shop.name for shop in SHOPS]), help="Only this shop.")
@click.option("--keep", is_flag=True, help="Leave the sandbox's page open until Ctrl-C.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of the sandbox; default: a free one.",
)
def demo(only: str | None, keep: bool, port: int) -> None:
    """Shop in example shops; watch the conversions arrive.

    A Django and a Flask shop are started, each with nothing but settings for Meta, and a sandbox
    in the place of Meta. A scripted shopper visits the shops over HTTP: buys, registers, refuses
    cookies, has a card declined. Every event that ought to arrive is counted and compared, and
    so is every event that ought not to.

    Nothing leaves this machine. The exit status is 1 when something is not as expected.
    """
    out = Console(highlight=False)
    folder = examples()
    shops = _able(out, only)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_stopped_like_ctrl_c())
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="capi-demo-")))
        datasets = {shop.dataset: _TOKEN for shop in SHOPS}
        sandbox = stack.enter_context(Sandbox(port, "strict", datasets))
        out.print(f"A strict sandbox listens on {sandbox.url} in the place of Meta.")
        stack.enter_context(_no_proxy())
        results = [_visit(out, shop, folder, scratch, sandbox) for shop in shops]
        failed = _conclude(out, results)
        if keep:
            with contextlib.suppress(KeyboardInterrupt):
                out.print(f"\nThe events are on {sandbox.url}/ until you press Ctrl-C.")
                threading.Event().wait()
    raise click.exceptions.Exit(1 if failed else 0)


def _able(out: Console, only: str | None) -> list[Shop]:
    chosen = [shop for shop in SHOPS if only in (None, shop.name)]
    able = []
    for shop in chosen:
        if missing := shop.missing():
            out.print(
                f"The {shop.title} shop is left out, it needs {', '.join(missing)}: {shop.install}",
                markup=False,
            )
        else:
            able.append(shop)
    if not able:
        raise click.UsageError("there is no shop to visit: none of their frameworks is installed")
    return able


@contextlib.contextmanager
def _stopped_like_ctrl_c() -> Iterator[None]:
    """Have the shops stopped also when a supervisor, or a closed terminal, ends the demo."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def _no_proxy() -> Iterator[None]:
    """Have the shopper's requests reach the shop where the environment names a proxy."""
    before = os.environ.get("NO_PROXY")
    os.environ["NO_PROXY"] = "127.0.0.1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["NO_PROXY"]
        else:
            os.environ["NO_PROXY"] = before


def _visit(out: Console, shop: Shop, folder: Path, scratch: Path, sandbox: Sandbox) -> Result:
    result = Result(shop)
    out.rule(f"[bold]{shop.title}[/]", align="left")
    script = load_script(folder)
    settings = {
        "SANDBOX_URL": sandbox.url,
        "CAPI_META_DATASET_ID": shop.dataset,
        "CAPI_META_ACCESS_TOKEN": _TOKEN,
        # So that each shopper has an address of their own.
        "SHOP_TRUSTED_PROXIES": "1",
    }
    before = len(sandbox.accepted())
    try:
        with (
            out.status(f"Starting the {shop.title} shop") as status,
            serving(shop, folder, scratch, settings) as url,
        ):
            result.journeys = travel(script, url, status.update)
            with contextlib.suppress(TimeoutError):
                sandbox.wait_for(before + due(result.journeys), _ARRIVED_WITHIN)
    except ShopFailed as error:
        result.wrong.append(str(error))
        return result
    accepted = [event for event in sandbox.accepted() if event.dataset == shop.dataset]
    refused = [event for event in sandbox.refused if event.dataset == shop.dataset]
    result.arrived = len(accepted)
    result.wrong += judge(result.journeys, accepted)
    for event in refused:
        reasons = ", ".join(problem.reason for problem in event.problems) or event.reason
        result.wrong.append(f"{event.name} was refused: {reasons}")
    for journey in result.journeys:
        result.wrong += [f"{journey.name}: {sentence}" for sentence in journey.wrong]
    show_events(out, accepted)
    out.print()
    show_journeys(out, result.journeys)
    out.print()
    return result


def _conclude(out: Console, results: list[Result]) -> bool:
    wrong = [(result.shop.title, text) for result in results for text in result.wrong]
    for title, text in wrong:
        out.print(f"{title}: {text}", style="red", markup=False, soft_wrap=True)
    arrived = sum(result.arrived for result in results)
    made = [journey for result in results for journey in result.journeys]
    good = sum(not journey.wrong for journey in made)
    names = " and ".join(result.shop.title for result in results)
    out.print(
        f"{names}: {arrived} events arrived and were accepted; "
        f"{good} of {len(made)} journeys are as expected"
        + (f", {len(wrong)} things are not." if wrong else ". All is well."),
        style="bold red" if wrong else "bold green",
        soft_wrap=True,
    )
    return bool(wrong)

"""Host apps from the package index: their own code, and settings."""

from __future__ import annotations

import contextlib
import os

import pytest

from tests.hosts import hosting
from tests.hosts.visitors import Visitor, comparable


@pytest.fixture(scope="session")
def hosts_root(tmp_path_factory):
    """A folder that all processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="module")
def serve(hosts_root, tmp_path_factory):
    """Serve a host app, once for all tests of a module that want the same."""
    running = {}
    with contextlib.ExitStack() as stack:

        def find(name, **how):
            key = (name, *sorted(how.items()))
            if key not in running:
                scratch = tmp_path_factory.mktemp(name)
                running[key] = stack.enter_context(
                    hosting.serving(name, hosts_root, scratch, **how)
                )
            return running[key]

        yield find


@pytest.fixture(scope="module")
def unchanged(serve):
    """Take the same walk through a host app with us and without us, each in a new database."""
    alone = {}

    def walked(name, walk, **how):
        with contextlib.closing(Visitor(serve(name, server="gunicorn", **how))) as visitor:
            varying = walk(visitor)
            answers = [(method, path, *comparable(a)) for method, path, a in visitor.answers]
            said = visitor.host.said()
        return repr(answers).replace(varying or "\0", "VARYING"), said

    def check(name, walk, capi):
        if name not in alone:
            alone[name], _ = walked(name, walk, capi="off")
        answers, said = walked(name, walk, capi=capi)
        assert answers == alone[name]
        assert ("RuntimeError" in said) is (capi != "on"), said

    return check


@pytest.fixture
def visit():
    """Make visitors."""
    made = []

    def make(host, **how):
        made.append(Visitor(host, **how))
        return made[-1]

    yield make
    for visitor in made:
        visitor.close()

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import attrs
import pytest

from capi_plugins.sandbox import Fault, Sandbox
from capi_plugins.sandbox.faults import GROUPS

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def test_example_test_runs():
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = {}
    exec(compile(example, "docs/sandbox.md", "exec"), names)
    names["test_an_order_is_delivered_once"]()


def test_example_command_is_accepted():
    (example,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    with Sandbox() as sandbox:
        done = subprocess.run(
            ["/bin/sh", "-c", example, "event.sh", sandbox.url],
            capture_output=True, text=True, check=True, timeout=20,
        )  # fmt: skip
        assert '"events_received":1' in done.stdout
        assert [event.warnings for event in sandbox.events] == [()]


@pytest.mark.parametrize("kind", sorted(GROUPS))
def test_every_fault_is_documented(kind):
    assert f"Fault.{kind}(" in PAGE
    assert callable(getattr(Fault, kind))


def test_faults_are_values():
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Fault.hang().times = 2


def test_sandbox_knows_nothing_of_the_payload_builder():
    import ast

    import capi_plugins.sandbox

    allowed = ("capi_plugins.sandbox", "capi_plugins.destinations.meta")
    for path in Path(capi_plugins.sandbox.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("capi_plugins"):
                assert node.module.startswith(allowed), f"{node.module} in {path.name}"
                if node.module == "capi_plugins.destinations.meta":
                    assert {name.name for name in node.names} <= {"custom_fields", "fields"}

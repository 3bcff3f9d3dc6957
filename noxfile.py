"""The test matrix: ``make test-all`` runs all of it, each part skips what the machine lacks."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["matrix", "lowest", "wheel"]

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
DJANGOS = ("5.2", "6.0", "6.1")


def _works(path: str | None) -> bool:
    if path is None:
        return False
    answer = subprocess.run([path, "-c", ""], capture_output=True, check=False)
    return answer.returncode == 0


def _find(version: str) -> str | None:
    """Find an interpreter on the path, else among pyenv's."""
    candidate = shutil.which(f"python{version}")
    if _works(candidate):
        return candidate
    root = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    for path in sorted(glob.glob(f"{root}/versions/{version}.*/bin/python")):
        if _works(path):
            return path
    return None


FOUND = {version: path for version in PYTHONS if (path := _find(version))}


# What differs between a wheel and the sources, or between interpreters, shows in seconds; servers,
# brokers and databases under fire are tried by ``make test``, once.
QUICK = (
    "-m",
    "not repository and not storm",
    "--ignore=tests/hosts",
    "--ignore=tests/faults",
    "--ignore=tests/on_celery",
    "--ignore=tests/outbox",
    "--ignore=tests/browser",
    "--ignore=tests/processes",
    "--ignore=tests/segment/clients",
    "--ignore-glob=tests/on_django/test_database_*",
    "--ignore-glob=tests/on_*/test_servers.py",
    "--ignore=tests/on_django/test_tasks.py",
)


def _suits(python: str, django: str) -> bool:
    return django == "5.2" or python != "3.11"


OLDEST = (
    "Django==5.2",
    "Flask==3.0.0",
    "attrs==23.2.0",
    "blinker==1.8.1",
    "click==8.1.7",
    "httpx==0.27.0",
    "orjson==3.10.0",
    "pluggy==1.5.0",
    "rich==13.7.0",
    "werkzeug==3.0.0",
)

MATRIX = [
    nox.param(FOUND[python], django, id=f"py{python}-django{django}")
    for python in FOUND
    for django in DJANGOS
    if _suits(python, django)
]


def _install(session: nox.Session, *what: str) -> None:
    session.install("pip>=25.1")
    session.install(*what, "--group", "test")


def _install_hosts(session: nox.Session, *pins: str) -> None:
    """Install the host apps that there are for these pins; the tests of the others are skipped."""
    constraints = Path(session.create_tmp()) / "pins.txt"
    constraints.write_text("\n".join(pins))
    for requirement in tomllib.loads(Path("pyproject.toml").read_text())["dependency-groups"][
        "hosts"
    ]:
        session.run(
            *("python", "-m", "pip", "install", "-q", "-c", str(constraints), requirement),
            success_codes=[0, 1],
            silent=True,
        )


def _pytest(session: nox.Session, *arguments: str) -> None:
    chosen = session.posargs or arguments
    pytest = ("python", "-m", "pytest", "-q")
    try:
        session.run(*pytest, "-n4", "--dist=worksteal", *chosen)
    except CommandFailed:
        # What fails beside other tests has to pass alone.
        again = ("--last-failed", "--last-failed-no-failures=none")
        session.run(*pytest, *again, *chosen)


@nox.session
@nox.parametrize("python,django", MATRIX)
def matrix(session: nox.Session, django: str) -> None:
    """All tests on one interpreter and one Django, with the host apps that run on it."""
    _install(session, "-e", ".[django,flask]", f"Django~={django}.0")
    _install_hosts(session, f"Django~={django}.0")
    _pytest(session)


@nox.session
@nox.parametrize("python", [nox.param(FOUND["3.11"], id="py3.11")] if "3.11" in FOUND else [])
def lowest(session: nox.Session) -> None:
    """All tests with the oldest libraries the package allows, and the host apps that take them."""
    _install(session, "-e", ".[django,flask]", *OLDEST)
    _install_hosts(session, *OLDEST)
    _pytest(session)


_NEWEST = [*FOUND.values()][-1:] or [sys.executable]


@nox.session
@nox.parametrize("python", [nox.param(path, id="newest") for path in _NEWEST])
def wheel(session: nox.Session) -> None:
    """The quick tests against the wheel that would be published, with the sources out of reach.

    On the newest interpreter there is, with the newest libraries: ``make test`` has the others.
    """
    place = Path(session.create_tmp())
    session.install("build")
    session.run("python", "-m", "build", "--wheel", "--outdir", str(place / "dist"), silent=True)
    built = next((place / "dist").glob("*.whl"))
    _install(session, f"{built}[django,flask]")
    for name in ("tests", "docs", "examples", "README.md", "CHANGELOG.md", "pyproject.toml"):
        source = Path(name)
        target = place / name
        if source.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    session.chdir(place)
    _pytest(session, *QUICK)

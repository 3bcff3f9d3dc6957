"""What is published: the wheel, the sdist, and a repository that speaks of the product alone."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import capi_plugins

pytestmark = pytest.mark.repository

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = {
    "capi_plugins": ROOT / "capi_plugins",
    "capi_django": ROOT / "integrations/django/capi_django",
    "capi_flask": ROOT / "integrations/flask/capi_flask",
    "capi_pytest": ROOT / "integrations/pytest/capi_pytest",
}


def build(root, target, folder):
    """Build with the backend itself: nothing is downloaded."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def tracked(*paths):
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *paths]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    return [name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_the_wheel_holds_its_packages_and_nothing_else(wheel):
    tops = {name.split("/")[0] for name in contents(wheel)}
    version = capi_plugins.__version__
    assert tops == {*PACKAGES, f"capi_plugins-{version}.dist-info"}


def test_the_wheel_holds_every_file_of_the_packages(wheel):
    inside = set(contents(wheel))
    for package, folder in PACKAGES.items():
        wanted = {
            f"{package}/{(ROOT / name).relative_to(folder)}"
            for name in tracked(str(folder.relative_to(ROOT)))
        }
        assert wanted
        assert wanted <= inside
    assert not [name for name in inside if "__pycache__" in name or name.endswith(".pyc")]


def test_every_package_is_typed(wheel):
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(contents(wheel))


def test_the_data_of_the_packages_is_in_the_wheel(wheel):
    inside = contents(wheel)
    assert any(name.startswith("capi_plugins/sandbox/page/") for name in inside)
    assert "capi_plugins/destinations/meta/country_names.json" in inside


def test_the_metadata_says_what_pyproject_says(wheel):
    files = contents(wheel)
    (info,) = {name.split("/")[0] for name in files if ".dist-info" in name}
    metadata = files[f"{info}/METADATA"].decode()
    assert f"Version: {capi_plugins.__version__}\n" in metadata
    assert "License-Expression: MIT\n" in metadata
    for requirement in PROJECT["project"]["dependencies"]:
        assert f"Requires-Dist: {requirement}\n" in metadata
    for extra in ("cli", "django", "flask"):
        assert f"Provides-Extra: {extra}\n" in metadata
    scripts = files[f"{info}/entry_points.txt"].decode()
    assert "capi = capi_plugins.cli:main" in scripts
    assert "capi = capi_flask.cli:capi" in scripts


def test_the_sdist_makes_the_same_wheel(wheel, sdist, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    again = build(root, "wheel", tmp_path / "again")
    assert contents(again) == contents(wheel)


def test_the_sdist_holds_tests_and_documentation(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "docs/index.md"} <= names
    assert "tests/contract/test_distribution.py" in names


def test_there_is_one_version():
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "capi_plugins/version.py"
    assert re.fullmatch(r"\d+\.\d+\.\d+", capi_plugins.__version__)


def test_the_changelog_tells_of_this_version():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert text.startswith("# Changelog")
    assert f"## {capi_plugins.__version__}" in text or "## Unreleased" in text


# Written so that this file does not find itself.
PLACES = [
    r"/wor" + r"k/\w",
    r"/hom" + r"e/\w",
    r"/Use" + r"rs/\w",
    r"/roo" + r"t/\.",
    r"\bartifac" + r"tory\b",
    r"\bcodeartif" + r"act\b",
    r"file:///" + r"opt",
    r"index-ur" + r"l\s*=",
]


def test_the_repository_names_no_place_of_its_makers():
    found = []
    for name in tracked():
        data = (ROOT / name).read_bytes()
        if b"\0" in data[:8000]:
            continue
        text = data.decode("utf-8", "replace")
        found += [f"{name}: {match}" for place in PLACES for match in re.findall(place, text)]
    assert found == []


def test_no_secret_of_metas_is_in_the_repository():
    # A real access token is far longer than what examples use.
    token = re.compile(rb"EAA[A-Za-z0-9]{80,}")
    assert [name for name in tracked() if token.search((ROOT / name).read_bytes())] == []

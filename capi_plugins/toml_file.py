"""The ``CAPI`` dictionary in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from capi_plugins.exceptions import ConfigurationError


def read_toml(path: Path) -> Mapping[str, Any]:
    """Read the ``CAPI`` dictionary from a TOML file.

    Args:
        path: A file with the dictionary at its top level, or below a table ``CAPI``.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from None
    below = data.get("CAPI", data)
    if not isinstance(below, Mapping):
        raise ConfigurationError(f"{path}: CAPI must be a table")
    return below

"""Segment messages become events: the conversion, its tables and its options."""

from __future__ import annotations

from capi_plugins.segment.convert import Conversion, Converter
from capi_plugins.segment.options import Options, read_options

__all__ = ["Conversion", "Converter", "Options", "read_options"]

"""Meta Conversions API for Django and Flask, by configuration alone."""

__version__ = "0.1.0"

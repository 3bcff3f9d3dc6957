"""Receivers of events: the base class and the built-in kinds."""

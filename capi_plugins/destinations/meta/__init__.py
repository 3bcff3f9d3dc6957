"""The Meta destination."""

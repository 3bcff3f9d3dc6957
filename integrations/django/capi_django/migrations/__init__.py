"""Migrations of the database outbox."""

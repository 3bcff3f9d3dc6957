"""Where events come in other than through the host app."""

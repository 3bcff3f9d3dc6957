"""Nobody has paid yet."""

"""Nobody has an account yet."""

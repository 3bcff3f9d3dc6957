"""A small shop that knows nothing of conversions: project and app in one."""

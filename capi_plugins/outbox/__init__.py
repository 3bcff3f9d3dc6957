"""Where deliveries wait for the worker."""

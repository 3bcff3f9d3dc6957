"""Payments are in a database of their own."""


class Router:
    def db_for_read(self, model, **hints):
        return "orders" if model._meta.app_label == "shop" else None

    db_for_write = db_for_read

"""Fernhill, a small shop."""

from flask import Flask, render_template

from . import cart, cookie_banner
from .commands import seed
from .config import Config
from .extensions import csrf, db, login_manager
from .views import accounts, catalog, orders, pages
from .views import cart as cart_views


def create_app(config=None):
    app = Flask(__name__)
    app.config.from_object(Config)
    app.config.from_mapping(config or {})

    db.init_app(app)
    csrf.init_app(app)
    login_manager.init_app(app)

    app.register_blueprint(catalog.bp)
    app.register_blueprint(cart_views.bp, url_prefix="/cart")
    app.register_blueprint(orders.bp)
    app.register_blueprint(accounts.bp, url_prefix="/accounts")
    app.register_blueprint(pages.bp)
    csrf.exempt(orders.payment_webhook)

    app.context_processor(cart.template_context)
    app.context_processor(cookie_banner.template_context)
    app.register_error_handler(404, lambda error: (render_template("404.html"), 404))
    app.register_error_handler(500, lambda error: (render_template("500.html"), 500))
    app.cli.add_command(seed)

    if "SECURITY" in app.config:
        from flask_talisman import Talisman

        Talisman(app, **app.config["SECURITY"])

    if "CAPI" in app.config:
        from capi_flask import Capi

        Capi(app)

    return app

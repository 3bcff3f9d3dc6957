"""An app with Flask-Security that knows nothing of conversions."""

import json
import os
from pathlib import Path

from flask import Flask
from flask_security import MailUtil, Security, SQLAlchemyUserDatastore, current_user
from flask_security.models import fsqla_v3
from flask_security.signals import user_registered
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
fsqla_v3.FsModels.set_db_info(db)


class Role(db.Model, fsqla_v3.FsRoleMixin):
    pass


class User(db.Model, fsqla_v3.FsUserMixin):
    pass


class Mails(MailUtil):
    def send_mail(self, template, subject, recipient, sender, body, html, **kwargs):
        (Path(os.environ["HOST_FOLDER"]) / f"{recipient}.mail").write_text(body)


def broken_receiver(app, user, **extra):
    if user.email.startswith("broken"):
        db.session.rollback()
        raise RuntimeError("the host fails after the sign-up was signalled")


def promoted(app, user, **extra):
    if user.email.startswith("boss"):
        db.session.add(user)
        user.roles.append(Role(name="editor"))
        user.roles.append(Role(name="admin"))


def create_app():
    app = Flask("guarded", instance_path=os.environ["HOST_FOLDER"])
    app.config.update(
        SECRET_KEY="guarded",
        SECURITY_PASSWORD_SALT="1",
        SECURITY_PASSWORD_HASH="plaintext",
        SECURITY_PASSWORD_SCHEMES=["plaintext"],
        SECURITY_DEPRECATED_PASSWORD_SCHEMES=[],
        SECURITY_PASSWORD_SINGLE_HASH=["plaintext"],
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False, "test_environment": True},
        SECURITY_REGISTERABLE=True,
        SECURITY_USE_REGISTER_V2=True,
        SECURITY_SEND_REGISTER_EMAIL=bool(os.environ.get("CONFIRMABLE")),
        SECURITY_CONFIRMABLE=bool(os.environ.get("CONFIRMABLE")),
        SECURITY_RETURN_GENERIC_RESPONSES=True,
        SECURITY_POST_LOGIN_VIEW="/home",
        SECURITY_POST_REGISTER_VIEW="/home",
        SECURITY_POST_CONFIRM_VIEW="/home",
        WTF_CSRF_ENABLED=False,
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{os.environ['HOST_FOLDER']}/guarded.sqlite3",
    )
    app.config.update(json.loads(os.environ.get("SECURITY", "{}")))
    db.init_app(app)
    Security(app, SQLAlchemyUserDatastore(db, User, Role), mail_util_cls=Mails)
    user_registered.connect(broken_receiver, app)
    user_registered.connect(promoted, app)
    app.add_url_rule("/home", "home", lambda: "home")
    app.add_url_rule("/who", "who", lambda: current_user.email)
    with app.app_context():
        db.create_all()
    return app

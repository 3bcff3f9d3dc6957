from flask import Blueprint, current_app, redirect, render_template, url_for
from flask_login import login_user, logout_user
from sqlalchemy import select

from ..extensions import db
from ..forms import LoginForm, RegistrationForm
from ..models import User
from ..signals import user_registered

bp = Blueprint("accounts", __name__)


@bp.route("/register/", methods=["GET", "POST"])
def register():
    form = RegistrationForm()
    if form.validate_on_submit():
        user = User(
            email=form.email.data.lower(),
            first_name=form.first_name.data,
            last_name=form.last_name.data,
        )
        user.set_password(form.password1.data)
        db.session.add(user)
        user_registered.send(current_app._get_current_object(), user=user)
        db.session.commit()
        login_user(user)
        return redirect(url_for("catalog.home"))
    return render_template("accounts/register.html", form=form)


@bp.route("/login/", methods=["GET", "POST"])
def login():
    form = LoginForm()
    if form.validate_on_submit():
        user = db.session.scalar(select(User).filter_by(email=form.username.data.lower()))
        if user and user.check_password(form.password.data):
            login_user(user)
            return redirect(url_for("catalog.home"))
        form.form_errors.append("Please enter a correct email and password.")
    return render_template("accounts/login.html", form=form)


@bp.post("/logout/")
def logout():
    logout_user()
    return redirect(url_for("catalog.home"))

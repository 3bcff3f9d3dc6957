from flask import Blueprint, redirect, render_template, request, url_for

from .. import cookie_banner
from ..extensions import db
from ..forms import ContactForm
from ..models import ContactMessage

bp = Blueprint("pages", __name__)


@bp.route("/contact/", methods=["GET", "POST"])
def contact():
    form = ContactForm()
    if form.validate_on_submit():
        message = ContactMessage()
        form.populate_obj(message)
        db.session.add(message)
        db.session.commit()
        return redirect(url_for("pages.contact_thanks"))
    return render_template("pages/contact.html", form=form)


@bp.get("/contact/thanks/")
def contact_thanks():
    return render_template("pages/contact_thanks.html")


@bp.post("/cookies/")
def cookies():
    target = request.form.get("next", "/")
    if not target.startswith("/") or target.startswith(("//", "/\\")):
        target = "/"
    response = redirect(target)
    cookie_banner.remember(response, accepted=request.form.get("choice") == "accept")
    return response

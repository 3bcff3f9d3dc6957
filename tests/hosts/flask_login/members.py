"""An app with Flask-Login that knows nothing of conversions."""

from flask import Flask, redirect, request
from flask_login import LoginManager, UserMixin, login_user

app = Flask(__name__)
app.secret_key = "members"
login_manager = LoginManager(app)


class User(UserMixin):
    def __init__(self, email):
        self.id = self.email = email
        self.is_admin = email.startswith("boss")


login_manager.user_loader(User)


@app.get("/home")
def home():
    return "home"


@app.post("/sign-in")
def sign_in():
    login_user(User(request.form["email"]))
    return redirect("/home")

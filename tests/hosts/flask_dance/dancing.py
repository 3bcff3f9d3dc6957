"""An app with Flask-Dance, and the identity providers it asks; it knows nothing of conversions."""

import os

from flask import Flask, redirect, request, session
from flask_dance.consumer import OAuth2ConsumerBlueprint, oauth_authorized
from flask_login import LoginManager, UserMixin, current_user, login_user

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
app = Flask(__name__)
app.secret_key = "dancing"
login_manager = LoginManager(app)
HERE = f"http://127.0.0.1:{os.environ['PORT']}"
blueprint, further = [
    OAuth2ConsumerBlueprint(
        name,
        __name__,
        client_id="x",
        client_secret="y",
        base_url=HERE,
        authorization_url=f"{HERE}/provider/authorize",
        token_url=f"{HERE}/provider/token",
        redirect_url="/home",
    )
    for name in ("idp", "further")
]
for each in (blueprint, further):
    app.register_blueprint(each, url_prefix="/login")


class User(UserMixin):
    id = "7"
    email = "member@example.com"


login_manager.user_loader(lambda user_id: User())


@oauth_authorized.connect
def arrived(blueprint, token):
    # Who is signed in already adds one more provider to the account.
    if session.get("as_member") and not current_user.is_authenticated:
        login_user(User())


@app.get("/as-member")
def as_member():
    session["as_member"] = True
    return "home"


@app.get("/home")
def home():
    return f"token {(blueprint.token or {}).get('access_token')}"


@app.get("/provider/authorize")
def authorize():
    return redirect(f"{request.args['redirect_uri']}?code=1&state={request.args['state']}")


@app.post("/provider/token")
def token():
    return {"access_token": "kept", "token_type": "Bearer"}

from flask_wtf import FlaskForm
from sqlalchemy import select
from wtforms import (
    EmailField,
    IntegerField,
    PasswordField,
    SelectChoice,
    SelectField,
    StringField,
    TelField,
    TextAreaField,
)
from wtforms.validators import (
    DataRequired,
    EqualTo,
    Length,
    NumberRange,
    Optional,
    Regexp,
    ValidationError,
)

from .extensions import db
from .models import User

COUNTRIES = [
    SelectChoice("DE", "Germany"),
    SelectChoice("AT", "Austria"),
    SelectChoice("FR", "France"),
    SelectChoice("NL", "Netherlands"),
    SelectChoice("US", "United States"),
]
CARD, INVOICE = "card", "invoice"
PAYMENTS = [SelectChoice(CARD, "Card"), SelectChoice(INVOICE, "Invoice")]


def email_field(label="Email"):
    address = Regexp(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", message="Enter a valid e-mail address.")
    return EmailField(label, [DataRequired(), Length(max=254), address])


def text_field(label, max_length):
    return StringField(label, [DataRequired(), Length(max=max_length)])


class AddToCartForm(FlaskForm):
    quantity = IntegerField("Quantity", [NumberRange(min=1, max=20)], default=1)


class CheckoutForm(FlaskForm):
    email = email_field()
    phone = TelField("Phone", [Optional(), Length(max=40)])
    first_name = text_field("First name", 80)
    last_name = text_field("Last name", 80)
    address = text_field("Address", 200)
    zip = text_field("Postcode", 20)
    city = text_field("City", 80)
    state = StringField("State", [Optional(), Length(max=80)])
    country = SelectField("Country", choices=COUNTRIES, default="DE")
    payment = SelectField("Pay by", choices=PAYMENTS, default=CARD)
    card_number = StringField(
        "Card number", [Length(max=23)], filters=[lambda text: (text or "").replace(" ", "")]
    )

    ORDER_FIELDS = [
        "email",
        "phone",
        "first_name",
        "last_name",
        "address",
        "zip",
        "city",
        "state",
        "country",
    ]

    def validate_card_number(self, field):
        if self.payment.data == CARD and not field.data:
            raise ValidationError("Please enter the number of your card.")

    @property
    def order_details(self):
        return {name: self[name].data for name in self.ORDER_FIELDS}

    @property
    def chosen_card(self):
        return self.card_number.data if self.payment.data == CARD else None


class RegistrationForm(FlaskForm):
    email = email_field()
    first_name = text_field("First name", 80)
    last_name = text_field("Last name", 80)
    password1 = PasswordField("Password", [DataRequired(), Length(min=8)])
    password2 = PasswordField(
        "Password confirmation", [EqualTo("password1", "The passwords differ.")]
    )

    def validate_email(self, field):
        if db.session.scalar(select(User).filter_by(email=field.data.lower())):
            raise ValidationError("There is already an account with this address.")


class LoginForm(FlaskForm):
    username = email_field()
    password = PasswordField("Password", [DataRequired()])


class ContactForm(FlaskForm):
    name = text_field("Name", 120)
    email = email_field()
    phone = TelField("Phone", [Optional(), Length(max=40)])
    message = TextAreaField("Message", [DataRequired()], render_kw={"rows": 4})

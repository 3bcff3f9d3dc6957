"""Wagtail's form pages: a ``Lead`` for every form that is handed in.

The page answers 200 to a form that is right and to one that is wrong; the submission that is
stored tells them apart. What editors call their fields is theirs to say, so the usual names are
looked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capi_plugins import hookimpl
from capi_plugins.settings import Settings

_NAMES = {
    "email": (
        *("email", "e_mail", "your_email", "your_e_mail", "email_address", "e_mail_address"),
        *("your_email_address", "your_e_mail_address", "work_email", "mail", "e_mail_adresse"),
        *("correo_electronico", "adresse_e_mail", "courriel", "indirizzo_email"),
    ),
    "phone": (
        *("phone", "your_phone", "phone_number", "your_phone_number", "telephone", "mobile"),
        *("telephone_number", "mobile_number", "mobile_phone", "tel", "telefon", "telefono"),
        *("telefonnummer", "cell_phone"),
    ),
    "first_name": ("first_name", "your_first_name", "firstname", "given_name", "vorname", "prenom"),
    "last_name": (
        *("last_name", "your_last_name", "lastname", "surname", "family_name", "nachname"),
        *("apellido", "apellidos", "nom_de_famille"),
    ),
    "city": ("city", "town", "stadt", "ort", "ville", "ciudad"),
    "zip": ("zip", "zip_code", "postcode", "post_code", "postal_code", "plz", "code_postal"),
    "country": ("country", "land", "pays", "pais"),
}
_WHOLE_NAMES = ("name", "your_name", "full_name", "your_full_name", "nombre", "nom")


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:  # noqa: ARG001 - the hook's
    """Offer the trigger."""
    person = {
        field: [f"instance.form_data.{name}" for name in names] for field, names in _NAMES.items()
    }
    # Of a whole name only the first word is sure to be a first name.
    person["first_name"] += [f"instance.form_data.{name}.split.0" for name in _WHOLE_NAMES]
    return [
        {
            "ON": "model",
            "MODEL": "wagtailforms.FormSubmission",
            "CREATED": True,
            "EVENT": "Lead",
            "USER_DATA": person,
            "CUSTOM_DATA": {"content_name": "instance.page.title"},
        }
    ]

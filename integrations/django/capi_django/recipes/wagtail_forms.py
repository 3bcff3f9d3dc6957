"""Wagtail's form pages: a ``Lead`` for every form that is handed in.

The page answers 200 to a form that is right and to one that is wrong; the submission that is
stored tells them apart. What editors call their fields is theirs to say: fields for addresses of
e-mail and for telephone numbers are known by their type, all others by the usual names.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.apps import apps
from django.utils.module_loading import import_string

from capi_plugins import Find, hookimpl
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
# Wagtail has no type for telephone numbers; these are what sites call their own.
_TYPES = {"email": {"email"}, "phone": {"phone", "phonenumber", "tel", "telephone", "mobile"}}


@hookimpl
def capi_triggers(settings: Settings) -> Sequence[Mapping[str, Any]]:  # noqa: ARG001 - the hook's
    """Offer the triggers: one for each model of submissions, Wagtail's and those of the site."""
    return [
        {
            "ON": "model",
            "MODEL": model,
            "CREATED": True,
            "EVENT": "Lead",
            "USER_DATA": {field: functools.partial(_entered, field) for field in _NAMES},
            "CUSTOM_DATA": {"content_name": "instance.page.title"},
        }
        for model in _submissions()
    ]


def _submissions() -> list[str]:
    abstract = import_string("wagtail.contrib.forms.models.AbstractFormSubmission")
    models = [model for model in apps.get_models() if issubclass(model, abstract)]
    # A trigger of a model sees the rows of its children too.
    return [
        model._meta.label
        for model in models
        if not any(issubclass(model, other) for other in models if other is not model)
    ]


def _entered(field: str, find: Find) -> str | None:
    """Find what somebody entered for a field of ``UserData``."""
    form: Mapping[str, Any] = find("instance.form_data")
    typed = list(_of_type(_TYPES[field], find)) if field in _TYPES else []
    # A form may ask for the address of a friend as well.
    names = [name for name in _NAMES[field] if name in typed] + typed + list(_NAMES[field])
    found = _first_answer(form, names)
    if found is None and field == "first_name":
        whole = _first_answer(form, _WHOLE_NAMES)
        # Of a whole name only the first word is sure to be a first name.
        found = whole and whole.split()[0]
    return found


def _first_answer(form: Mapping[str, Any], names: Iterable[str]) -> str | None:
    for name in names:
        value = form.get(name)
        # Boxes that are ticked, and several of a choice, are no answers to these.
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def _of_type(types: set[str], find: Find) -> Iterator[str]:
    for field in find("instance.page.specific.get_form_fields") or ():
        if field.field_type.lower().replace("_", "") in types:
            yield field.clean_name

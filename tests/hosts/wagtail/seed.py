"""Form pages: the fields of one have the usual names, those of others have others."""

import django

django.setup()

from pages.models import ApplicationField, ApplicationPage, Field, FormPage  # noqa: E402
from wagtail.models import Locale, Page, Site  # noqa: E402

Locale.objects.get_or_create(language_code="en")
root = Page.get_first_root_node() or Page.add_root(instance=Page(title="Root", slug="root"))
Site.objects.all().delete()
Site.objects.create(hostname="localhost", root_page=root, is_default_site=True)
FORMS = {
    "contact": (
        ("Full name", "singleline"),
        ("Your e-mail", "email"),
        ("Phone number", "singleline"),
        ("City", "singleline"),
    ),
    "survey": (("How do you do?", "singleline"),),
}
for slug, fields in FORMS.items():
    page = root.add_child(instance=FormPage(title=slug.title(), slug=slug))
    for order, (label, kind) in enumerate(fields):
        Field.objects.create(page=page, sort_order=order, label=label, field_type=kind)
application = root.add_child(instance=ApplicationPage(title="Application", slug="application"))
for order, (label, kind, choices) in enumerate(
    (
        ("Referee", "email", ""),
        ("Where do we write to?", "email", ""),
        ("E-mail address", "email", ""),
        ("How do we call you?", "phone", ""),
        ("Phone", "checkbox", ""),
        ("Country", "checkboxes", "Germany\nFrance"),
        ("City", "multiselect", "Berlin\nParis"),
        ("About you", "multiline", ""),
        ("Resume", "file", ""),
    )
):
    ApplicationField.objects.create(
        page=application, sort_order=order, label=label, field_type=kind, choices=choices
    )

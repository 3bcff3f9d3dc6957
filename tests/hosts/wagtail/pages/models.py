"""Form pages: in Wagtail they are a model of the site, with everything else inherited.

``ApplicationPage`` is what Wagtail's documentation says of types of fields of one's own and of a
submission of one's own.
"""

from django import forms
from django.db import models
from modelcluster.fields import ParentalKey
from wagtail.contrib.forms.forms import FormBuilder
from wagtail.contrib.forms.models import (
    FORM_FIELD_CHOICES,
    AbstractForm,
    AbstractFormField,
    AbstractFormSubmission,
)


class Field(AbstractFormField):
    page = ParentalKey("FormPage", on_delete=models.CASCADE, related_name="form_fields")


class FormPage(AbstractForm):
    template = "pages/form.html"
    landing_page_template = "pages/thanks.html"


class ApplicationBuilder(FormBuilder):
    def create_phone_field(self, field, options):
        return forms.CharField(**options)

    def create_file_field(self, field, options):
        return forms.FileField(**options)


class ApplicationField(AbstractFormField):
    field_type = models.CharField(
        max_length=16, choices=[*FORM_FIELD_CHOICES, ("phone", "Phone"), ("file", "File")]
    )
    page = ParentalKey("ApplicationPage", on_delete=models.CASCADE, related_name="form_fields")


class Application(AbstractFormSubmission):
    """A submission with more columns."""


class ApplicationPage(AbstractForm):
    form_builder = ApplicationBuilder
    template = "pages/form.html"
    landing_page_template = "pages/thanks.html"

    def get_submission_class(self):
        return Application

    def process_form_submission(self, form):
        entered = {**form.cleaned_data, "resume": form.cleaned_data["resume"].name}
        return Application.objects.create(form_data=entered, page=self)

"""Form pages: in Wagtail they are a model of the site, with everything else inherited."""

from django.db import models
from modelcluster.fields import ParentalKey
from wagtail.contrib.forms.models import AbstractForm, AbstractFormField


class Field(AbstractFormField):
    page = ParentalKey("FormPage", on_delete=models.CASCADE, related_name="form_fields")


class FormPage(AbstractForm):
    template = "pages/form.html"
    landing_page_template = "pages/thanks.html"

"""The template tag ``{% capi_pixel %}``."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString, mark_safe

from capi_plugins.browser import MARK

register = template.Library()


@register.simple_tag
def capi_pixel() -> SafeString:
    """Mark the place of the pixel's code in a page; without it the code ends the head.

    What stands there is decided when the page is ready: the code, for a visitor who consented and
    with ``CAPI["BROWSER"]["PIXEL"]`` on, else an HTML comment that is the same for everybody.
    """
    return mark_safe(MARK)  # noqa: S308 - a constant

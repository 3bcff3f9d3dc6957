"""A site with Wagtail and its form pages."""

import with_capi
from plain import *  # noqa: F403
from plain import INSTALLED_APPS

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "pages",
]
WAGTAIL_SITE_NAME = "A site"
WAGTAILADMIN_BASE_URL = "http://site.example"

with_capi.add(globals())

"""Where Segment's libraries and webhooks send to, and where ``bridge.js`` is.

::

    urlpatterns += [path("capi/", include("capi_django.urls"))]
"""

from __future__ import annotations

from django.urls import path, re_path

from capi_django import views
from capi_plugins.bridge import PATH
from capi_plugins.receiving import TRACKING, WEBHOOKS

app_name = "capi"
urlpatterns = [
    *(
        re_path(rf"^(?P<path>{place}/.+)$", views.receive, name=place)
        for place in (TRACKING, WEBHOOKS)
    ),
    path(PATH, views.bridge, name="bridge"),
]

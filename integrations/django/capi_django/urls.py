"""Where Segment's libraries, webhooks and pages send to, and where ``bridge.js`` is.

::

    urlpatterns += [path("capi/", include("capi_django.urls"))]
"""

from __future__ import annotations

from django.urls import path, re_path

from capi_django import views
from capi_plugins import bridge, collecting
from capi_plugins.receiving import TRACKING, WEBHOOKS

app_name = "capi"
urlpatterns = [
    *(
        re_path(rf"^(?P<path>{place}/.+)$", views.receive, name=place)
        for place in (TRACKING, WEBHOOKS)
    ),
    path(bridge.PATH, views.bridge, name="bridge"),
    path(collecting.PATH, views.collect, name="collect"),
]

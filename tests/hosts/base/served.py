"""The host app as servers want it, behind a proxy that tells who the visitor is."""

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

_wsgi = get_wsgi_application()


def application(environ, start_response):
    """Do what ``mod_remoteip`` or nginx's ``real_ip`` do; uvicorn has the like built in."""
    environ["REMOTE_ADDR"] = environ.pop("HTTP_X_FORWARDED_FOR", environ.get("REMOTE_ADDR"))
    return _wsgi(environ, start_response)


asgi_application = get_asgi_application()

"""Whatever visitors send, the answer is the host's and the context is made."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.django_db

NOSY = {
    "ON": "request",
    "EVENT": "Lead",
    "STATUS": [200, 400, 404, 500],
    "USER_DATA": {
        "email": ["form.email", "json.email", "args.email", "request.user.email"],
        "city": ["json.0", "json.a.b", "session.city", "request.POST.city"],
        "state": "request.headers.cookie",
    },
}

# What a WSGI server hands over: bytes as Latin-1, without the ends of lines.
latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)
headers = st.dictionaries(
    st.sampled_from(
        [
            "HTTP_HOST",
            "HTTP_COOKIE",
            "HTTP_REFERER",
            "HTTP_USER_AGENT",
            "HTTP_X_FORWARDED_FOR",
            "HTTP_FORWARDED",
            "HTTP_ACCEPT_LANGUAGE",
            "HTTP_SEC_GPC",
            "HTTP_X_REQUESTED_WITH",
            "REMOTE_ADDR",
        ]
    ),
    latin
    | st.sampled_from(
        ["sessionid=" + "x" * 32, "sessionid=", "a=b; c", "shop.example", "127.0.0.1", "::1", ""]
    ),
)
content_types = st.sampled_from(
    [
        "",
        "text/plain",
        "application/json",
        "application/ld+json; charset=latin-1",
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=klingon",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
    ]
)
bodies = st.binary(max_size=80) | st.sampled_from(
    [
        b'{"email": "a@b.example", "a": {"b": [1]}}',
        b"[" * 5000,
        b"email=a%40b.example&city=x&email=",
        b'--x\r\nContent-Disposition: form-data; name="city"\r\n\r\nBonn\r\n--x--\r\n',
        b'\xff\xfe{"a": "\\ud800"}',
    ]
)


def unread(request):
    return HttpResponse("ok")


def read(request):
    return HttpResponse(request.body)


def parsed(request):
    return HttpResponse(repr(sorted(request.POST.items())))


def streamed(request):
    return HttpResponse(request.read(7))


def ask(handler: WSGIHandler, environ: dict[str, Any], body: bytes) -> tuple[Any, ...]:
    stream = io.BytesIO(body)
    environ = {
        "REQUEST_METHOD": "POST",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": stream,
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
        **environ,
    }
    started: list[Any] = []
    answer = handler(environ, lambda *args: started.append(args))
    content = b"".join(answer)
    answer.close()
    # How far the body was read is the host's affair, too.
    return started, content, stream.tell()


@pytest.mark.parametrize("page", [unread, read, parsed, streamed])
def test_any_request_gets_the_answer_of_the_host(configure, recorder, view, page, settings):
    configure(NOSY, PAGE_VIEW=True, TRUSTED_PROXIES=1)
    view(page)
    ours = WSGIHandler()
    with override_settings(MIDDLEWARE=[m for m in settings.MIDDLEWARE if "capi" not in m]):
        bare = WSGIHandler()
    check_answers(ours, bare)
    assert recorder.names
    assert all(context.method == "POST" for _, context in recorder.captured)


@given(sent=headers, query=latin, content_type=content_types, body=bodies)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def check_answers(ours, bare, sent, query, content_type, body):
    environ = {**sent, "PATH_INFO": "/do/", "QUERY_STRING": query, "CONTENT_TYPE": content_type}
    assert ask(ours, environ, body) == ask(bare, environ, body)

"""Reads a request the way the Graph API does: four encodings, parameters from three places."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from typing import Any, Final

import attrs
import orjson
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request

BODY_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of a body, before and after decompression. Meta publishes no figure."""
MASKED: Final = frozenset(["access_token", "appsecret_proof"])
MASKED_HEADERS: Final = frozenset(["authorization", "cookie", "proxy-authorization"])
MASK: Final = "(hidden)"


@attrs.frozen(kw_only=True)
class Incoming:
    """A request as far as it could be read.

    Attributes:
        method: HTTP method.
        path: Path without the query.
        query: Query parameters, secrets hidden.
        headers: Headers, secrets hidden.
        encoding: ``json``, ``form``, ``multipart``, ``none`` or the content type found;
            compression is added as ``+gzip``.
        parameters: Everything sent, of query and body together; may hold secrets.
        size: Bytes of the body as sent.
        token: The access token; None when there is none anywhere.
        token_source: ``query``, ``header``, ``body`` or empty.
        problem: Why the body could not be read; empty when it could.
        too_large: Whether the body was over the limit.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    encoding: str
    parameters: dict[str, Any] = attrs.field(repr=False)
    size: int
    token: str | None = attrs.field(repr=False)
    token_source: str
    problem: str = ""
    too_large: bool = False

    @property
    def proof(self) -> str | None:
        """The ``appsecret_proof``, None when absent."""
        proof = self.parameters.get("appsecret_proof")
        return None if proof is None else str(proof)

    @property
    def test_event_code(self) -> str | None:
        """The Test Events id, None when absent."""
        code = self.parameters.get("test_event_code")
        return code if isinstance(code, str) and code else None


class _UnreadableError(ValueError):
    """The body cannot be read; the text says why."""

    too_large = False


class _TooLargeError(_UnreadableError):
    too_large = True


def read(request: Request) -> Incoming:
    """Read a request; never raises, whatever bytes arrive.

    Args:
        request: The HTTP request.
    """
    encoding = _encoding_name(request)
    raw, body, problem = b"", {}, ""
    too_large = False
    try:
        raw = _read_body(request)
        body = _parameters(request, _decompress(request, raw), encoding)
    except _UnreadableError as error:
        problem, too_large = str(error), error.too_large
    query = dict(request.args.items())
    parameters = {**query, **body}
    token, source = _token(query, request.headers.get("Authorization", ""), body)
    if request.headers.get("Content-Encoding"):
        encoding += "+" + request.headers["Content-Encoding"].lower()
    return Incoming(
        method=request.method,
        path=request.path,
        query={key: MASK if key in MASKED else value for key, value in query.items()},
        headers={
            key: MASK if key.lower() in MASKED_HEADERS else value
            for key, value in request.headers.items()
        },
        encoding=encoding,
        parameters=parameters,
        size=len(raw),
        token=token,
        token_source=source,
        problem=problem,
        too_large=too_large,
    )


def _encoding_name(request: Request) -> str:
    names = {
        "application/json": "json",
        "application/x-www-form-urlencoded": "form",
        "multipart/form-data": "multipart",
        "": "none",
    }
    return names.get(request.mimetype, request.mimetype)


def _read_body(request: Request) -> bytes:
    try:
        raw = request.stream.read(BODY_LIMIT + 1)
    except ConnectionError:
        raise
    except (HTTPException, OSError, ValueError) as error:
        if getattr(error, "code", None) == 413:  # noqa: PLR2004 - the status of that name
            raise _TooLargeError("The body is too large") from None
        raise _UnreadableError("The body could not be read") from None
    if len(raw) > BODY_LIMIT:
        raise _TooLargeError("The body is too large")
    return raw


def _decompress(request: Request, raw: bytes) -> bytes:
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding in {"identity", ""}:
        return raw
    if coding not in {"gzip", "x-gzip"}:
        raise _UnreadableError("Content-Encoding is neither gzip nor identity")
    decompressor = zlib.decompressobj(wbits=31)
    try:
        plain = decompressor.decompress(raw, BODY_LIMIT + 1)
    except zlib.error:
        raise _UnreadableError("The body is not valid gzip") from None
    if len(plain) > BODY_LIMIT:
        raise _TooLargeError("The body is too large")
    if not decompressor.eof:
        raise _UnreadableError("The gzip body is cut off")
    return plain


def _parameters(request: Request, body: bytes, encoding: str) -> dict[str, Any]:
    if encoding in {"form", "multipart"}:
        return _form(request, body)
    if not body:
        return {}
    if encoding not in {"json", "none"}:
        raise _UnreadableError("Content-Type is neither JSON nor a form")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _UnreadableError("The body is not valid JSON") from None
    if not isinstance(content, dict):
        raise _UnreadableError("The body is not a JSON object")
    return content


def _form(request: Request, body: bytes) -> dict[str, Any]:
    inner = Request(
        {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
    )
    inner.max_form_memory_size = BODY_LIMIT
    try:
        form = dict(inner.form.items())
        for name, upload in inner.files.items():
            form[name] = upload.stream.read().decode("utf-8", "replace")
            upload.close()
    except (HTTPException, ValueError):
        raise _UnreadableError("The form could not be read") from None
    return form


def _token(
    query: Mapping[str, Any], authorization: str, body: Mapping[str, Any]
) -> tuple[str | None, str]:
    if "access_token" in query:
        return str(query["access_token"]), "query"
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() in {"bearer", "oauth"}:
        return credentials.strip(), "header"
    if body.get("access_token") is not None:
        return str(body["access_token"]), "body"
    return None, ""


def batch_of(parameters: Mapping[str, Any]) -> Any:
    """Return ``data`` decoded: JSON text where it is text, each element where it is text.

    Args:
        parameters: What the request carried.

    Returns:
        The list of events, or whatever else stands there; None when it is missing.

    Raises:
        ValueError: A text in it is not valid JSON.
    """
    data = parameters.get("data")
    if isinstance(data, str):
        data = orjson.loads(data)
    if isinstance(data, list):
        return [orjson.loads(item) if isinstance(item, str) else item for item in data]
    return data

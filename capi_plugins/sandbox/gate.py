"""What is checked before any event: method, path, version, token, proof, dataset, batch."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs
import orjson

from capi_plugins.destinations.meta import fields
from capi_plugins.sandbox.case import Dataset, Mode
from capi_plugins.sandbox.refusals import Refusal
from capi_plugins.sandbox.wire import Incoming, batch_of

EDGE: Final = re.compile(r"/(?:(?P<version>v[0-9.]+)/)?(?P<dataset>[^/]+)/events/?", re.ASCII)
TOKEN: Final = re.compile(r"[!-~]+", re.ASCII)
PROOF: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@attrs.frozen(kw_only=True)
class Rulebook:
    """What one sandbox expects of its callers.

    Attributes:
        mode: How much is enforced.
        datasets: The datasets there are, by id; None takes any id and any plausible token.
        app_secret: The app's secret: proofs are checked, and demanded in ``strict`` mode.
    """

    mode: Mode = "strict"
    datasets: Mapping[str, Dataset] | None = attrs.field(default=None, repr=False)
    app_secret: str | None = attrs.field(default=None, repr=False)


def dataset_in(path: str) -> str:
    """Return the dataset id in a Graph path; empty when there is none."""
    match = EDGE.fullmatch(path)
    return match["dataset"] if match else ""


def check_request(incoming: Incoming, rules: Rulebook, now: float) -> Refusal | None:
    """Judge all that precedes the body: method, path, version, token, proof and dataset.

    Args:
        incoming: The request.
        rules: What this sandbox expects.
        now: The server's clock, Unix seconds; it decides which versions have ended.
    """
    match = EDGE.fullmatch(incoming.path)
    if match is None:
        return Refusal(
            reason="unknown_path",
            text="Nothing lives at this path. Events go to /<version>/<dataset id>/events.",
            code=2500,
            message="Unknown path components",
            evidence="G",
            field="path",
        )
    if incoming.method != "POST":
        return _unsupported("get", match["dataset"], "method")
    return (
        _check_version(match["version"], rules.mode, now)
        or _check_token(incoming, rules)
        or _check_proof(incoming, rules)
        or _check_dataset(incoming, match["dataset"], rules)
    )


def _unsupported(verb: str, dataset: str, field: str) -> Refusal:
    return Refusal(
        reason="unsupported_method" if field == "method" else "unknown_dataset",
        text="Events are sent with POST."
        if field == "method"
        else "No dataset has this id, or the token may not write to it.",
        subcode=33,
        type="GraphMethodException",
        message=f"Unsupported {verb} request. Object with ID '{dataset[:80]}' does not exist,"
        " cannot be loaded due to missing permissions, or does not support this operation.",
        evidence="G" if field == "method" else "F",
        field=field,
    )


def _check_version(version: str | None, mode: Mode, now: float) -> Refusal | None:
    if version is None:
        if mode == "meta":
            return None
        return _version_problem("The path names no Graph API version.")
    if version not in fields.GRAPH_VERSIONS:
        return Refusal(
            reason="unknown_version",
            text=f"There is no Graph API version {version[:20]}.",
            code=2500,
            message=f"Unknown path components: /{version[:20]}",
            evidence="G",
            field="version",
        )
    end = fields.GRAPH_VERSIONS[version]
    today = dt.datetime.fromtimestamp(now, dt.UTC).date()
    if end is not None and today >= dt.date.fromisoformat(end):
        return _version_problem(f"Graph API {version} ended on {end}.")
    return None


def _version_problem(text: str) -> Refusal:
    newest = next(iter(fields.GRAPH_VERSIONS))
    return Refusal(
        reason="version_ended",
        text=f"{text} Use {newest}.",
        code=2635,
        message="(#2635) You are calling a deprecated version of the API.",
        evidence="G",
        field="version",
    )


def _check_token(incoming: Incoming, rules: Rulebook) -> Refusal | None:
    token = incoming.token
    if not token:
        return Refusal(
            reason="missing_token",
            text="There is no access token in the query, the Authorization header or the body.",
            code=104,
            message="An access token is required to request this resource.",
            evidence="T",
            field="access_token",
        )
    known = None if rules.datasets is None else {found.token for found in rules.datasets.values()}
    if known is not None and (token in known or "" in known):
        return None
    if "expired" in token.lower():
        return Refusal(
            reason="expired_token",
            text="The access token has expired: generate a new one in Events Manager.",
            code=190,
            subcode=463,
            status=401,
            message="Error validating access token: Session has expired.",
            evidence="L",
            field="access_token",
        )
    if known is not None or "invalid" in token.lower() or not TOKEN.fullmatch(token):
        return Refusal(
            reason="invalid_token",
            text="The access token is none: copy it again from Events Manager.",
            code=190,
            status=401,
            message="Invalid OAuth access token - Cannot parse access token",
            evidence="L",
            field="access_token",
        )
    return None


def _check_proof(incoming: Incoming, rules: Rulebook) -> Refusal | None:
    proof, token = incoming.proof, incoming.token or ""
    if rules.app_secret is None:
        correct = proof is None or bool(PROOF.fullmatch(proof))
    elif proof is None:
        correct = rules.mode == "meta"
    else:
        expected = hmac.new(rules.app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        correct = hmac.compare_digest(expected, proof.encode("ascii", "replace").decode())
    if correct:
        return None
    missing = proof is None
    return Refusal(
        reason="missing_proof" if missing else "wrong_proof",
        text="appsecret_proof must be the lowercase hexadecimal HMAC-SHA256 of the access token,"
        " keyed with the app secret.",
        type="GraphMethodException",
        message="API calls from the server require an appsecret_proof argument"
        if missing
        else "Invalid appsecret_proof provided in the API argument",
        evidence="T",
        field="appsecret_proof",
    )


def _check_dataset(incoming: Incoming, dataset: str, rules: Rulebook) -> Refusal | None:
    if rules.datasets is None:
        return None
    found = rules.datasets.get(dataset)
    if found is None or (found.token and found.token != incoming.token):
        return _unsupported("post", dataset, "dataset")
    return None


def check_body(incoming: Incoming) -> tuple[list[Any], Refusal | None]:
    """Decode the batch and judge its size.

    Args:
        incoming: The request.

    Returns:
        The events, as far as there is a list, and what is wrong with the batch as a whole.
    """
    if incoming.too_large:
        return [], _batch_problem("body_too_large", "The body is too large.", status=413)
    if incoming.problem:
        return [], _batch_problem("body_unreadable", f"{incoming.problem}.")
    try:
        data = batch_of(incoming.parameters)
    except orjson.JSONDecodeError:
        return [], _batch_problem("data_not_json", "Param data must be valid JSON")
    if data is None:
        return [], Refusal(
            reason="missing_data",
            text="The request has no data, the list of events.",
            message="(#100) The parameter data is required",
            evidence="T",
            field="data",
        )
    if not isinstance(data, list):
        return [], _batch_problem("data_not_a_list", "Param data must be an array.")
    if not data:
        return [], _batch_problem("empty_data", "Param data must be a non-empty array.")
    if len(data) > fields.MAX_BATCH:
        return data, _batch_problem(
            "batch_too_large",
            f"A request holds at most {fields.MAX_BATCH} events; this one has {len(data)}.",
        )
    return data, None


def _batch_problem(reason: str, text: str, *, status: int = 400) -> Refusal:
    return Refusal(
        reason=reason,
        text=text,
        status=status,
        message=f"(#100) {text}",
        evidence="M" if reason == "batch_too_large" else "G",
        field="data",
    )

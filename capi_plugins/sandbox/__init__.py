"""A local Graph API that judges like Meta's, with a page like Events Manager's Test Events.

It takes the place of ``https://graph.facebook.com`` in tests and on a developer's machine: real
HTTP, Meta's answers, Meta's rules, and faults on demand. It needs the extra ``[cli]``.
"""

try:
    import werkzeug as _werkzeug  # noqa: F401 - looked for, so that its absence is explained
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "the sandbox needs werkzeug: pip install 'capi-plugins[cli]'", name="werkzeug"
    ) from error

from capi_plugins.sandbox.case import Dataset, Mode
from capi_plugins.sandbox.faults import Fault
from capi_plugins.sandbox.local import Sandbox
from capi_plugins.sandbox.refusals import Notice, Refusal
from capi_plugins.sandbox.run import serve
from capi_plugins.sandbox.store import ReceivedEvent, ReceivedRequest

__all__ = [
    "Dataset",
    "Fault",
    "Mode",
    "Notice",
    "ReceivedEvent",
    "ReceivedRequest",
    "Refusal",
    "Sandbox",
    "serve",
]

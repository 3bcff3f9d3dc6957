"""Serves a Django project for ``capi discover --record`` and tells the recorder what happens."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db.models import Model
from django.db.models.signals import post_save, pre_save
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from capi_django import conf, discovery, rendering
from capi_django.context import Visit
from capi_plugins import CapiError, ConfigurationError
from capi_plugins.cli.discovering.recorder import Recorder

_log = logging.getLogger("capi_plugins.django")
_OLD = "_capi_recorded"
_recorders: list[Recorder] = []


def record(recorder: Recorder, host: str, port: int) -> None:
    """Run the development server until Ctrl-C; nothing is sent meanwhile.

    Args:
        recorder: What is told.
        host: Address to listen on.
        port: TCP port.

    Raises:
        CapiError: The server does not start.
    """
    _recorders[:] = [recorder]
    settings.CAPI = {**getattr(settings, "CAPI", {}), "ENABLED": False}
    conf.reload(setting="CAPI")
    # Innermost: what the host's other middleware makes of an answer is not the view's doing.
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "capi_django.recording.RecorderMiddleware"]
    rendering.watch_all()
    for path, signal in discovery.signals().items():
        signal.connect(_receiver(recorder, path), weak=False)
    pre_save.connect(_before, weak=False)
    post_save.connect(_after, weak=False)
    try:
        # Standard output is for what is found.
        call_command("runserver", f"{host}:{port}", use_reloader=False, stdout=sys.stderr)
    except CommandError as error:
        raise CapiError(str(error)) from None
    except SystemExit as error:
        if error.code:
            raise CapiError("the development server does not start") from None


class RecorderMiddleware:
    """Tells the recorder of every request.

    Args:
        get_response: The view.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle a request."""
        client = conf.client()
        if client is None:
            raise ConfigurationError(conf.problems())
        visit = Visit(client, request)
        pages = rendering.pages.set(visit.pages)
        for recorder in _recorders:
            recorder.begin()
        try:
            response = self.get_response(request)
        finally:
            rendering.pages.reset(pages)
        for recorder in _recorders:
            with _fence():
                recorder.finish(visit.finished(response))
        return response


def _receiver(recorder: Recorder, path: str) -> Callable[..., None]:
    def receive(sender: object, **arguments: Any) -> None:
        with _fence():
            arguments.pop("signal", None)
            recorder.signal(path, {**arguments, "sender": sender})

    return receive


def _before(sender: type[Model], instance: Model, **_: Any) -> None:
    with _fence():
        instance._state.__dict__.pop(_OLD, None)
        if discovery.is_theirs(sender) and instance.pk is not None and not instance._state.adding:
            for row in sender._base_manager.filter(pk=instance.pk).values()[:1]:
                instance._state.__dict__[_OLD] = row


def _after(sender: type[Model], instance: Model, *, created: bool = False, **_: Any) -> None:
    with _fence():
        old = instance._state.__dict__.pop(_OLD, {})
        if not discovery.is_theirs(sender):
            return
        new = {field.attname: getattr(instance, field.attname) for field in sender._meta.fields}
        labels = {
            field.attname: str(label)
            for field in sender._meta.fields
            for choice, label in field.flatchoices or ()
            if choice == new[field.attname]
        }
        for recorder in _recorders:
            recorder.row(
                sender._meta.label,
                lambda: instance,
                created=created,
                old=old,
                new=new,
                labels=labels,
                is_user=discovery.is_user(sender),
            )


@contextlib.contextmanager
def _fence() -> Any:
    """Keep what goes wrong here from the host."""
    try:
        yield
    except Exception as error:
        _log.warning("recording failed with %s", type(error).__name__)

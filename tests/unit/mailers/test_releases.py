"""A release of a mail library that has changed where mail leaves is refused."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import flask_mail
import flask_mailman
import pytest
from flask import Flask

from flask_optout import ConfigurationError
from flask_optout.mailers import flask_mail as gated_mail
from flask_optout.mailers import flask_mailman as gated_mailman

ADAPTERS = {"Flask-Mail": gated_mail, "Flask-Mailman": gated_mailman}


@pytest.mark.parametrize(
    ("library", "kind", "name"),
    [
        ("Flask-Mail", flask_mail.Mail, "send_later"),
        ("Flask-Mail", flask_mail.Connection, "deliver"),
        ("Flask-Mail", flask_mail.Message, "enqueue"),
        ("Flask-Mailman", flask_mailman.Mail, "asend"),
        ("Flask-Mailman", flask_mailman.EmailMessage, "send_async"),
    ],
)
def test_a_new_way_out_is_refused_at_start(
    library: str, kind: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, name, lambda self: None, raising=False)
    with pytest.raises(ConfigurationError, match=rf"{library} {version(library)} \(.*{name}"):
        ADAPTERS[library].Mail(Flask("host"))


def test_what_gets_something_is_no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flask_mail.Message, "get_sender", lambda self: None, raising=False)
    gated_mail.Mail(Flask("host"))


def test_a_hook_that_is_gone_is_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(flask_mail.Message, "_message")
    with pytest.raises(ConfigurationError, match="Message._message"):
        gated_mail.Mail(Flask("host"))


def past_the_hook(self: Any, *args: Any) -> Any:
    return b"as a later release might serialise"


def past_the_state(self: Any, app: Flask) -> Any:
    """As a later release might start, from the library's own class."""
    app.extensions["mail"] = app.extensions["mailman"] = object()
    return flask_mailman.Mail().init_mail(app.config)


@pytest.mark.parametrize(
    ("library", "kind", "name", "instead"),
    [
        ("Flask-Mail", flask_mail.Message, "as_bytes", past_the_hook),
        ("Flask-Mail", flask_mail.Message, "as_string", past_the_hook),
        ("Flask-Mail", flask_mail.Mail, "init_app", past_the_state),
        ("Flask-Mailman", flask_mailman.Mail, "init_app", past_the_state),
        ("Flask-Mailman", flask_mailman._MailMixin, "get_connection", lambda self, backend: object()),
    ],
)
def test_a_hook_that_does_something_else_is_refused_at_start(
    library: str, kind: Any, name: str, instead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kind, name, instead)
    with pytest.raises(ConfigurationError, match=rf"{library} {version(library)} \(.*{name}"):
        ADAPTERS[library].Mail(Flask("host"))


@pytest.mark.parametrize("library", ADAPTERS)
def test_the_installed_release_is_known(library: str) -> None:
    assert ADAPTERS[library].Mail(Flask("host")).state is not None

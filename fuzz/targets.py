"""What must hold for any bytes at all; each target raises when it does not."""

from __future__ import annotations

import email
import email.policy
import io
from collections.abc import Callable
from functools import cache

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_optout import AddressError, BadToken, ListError, OptOut, OptOutError
from flask_optout.addresses import parse
from flask_optout.importing.lists import MuteList, Skipped
from flask_optout.links.tokens import DataKey, Door, Tokens
from flask_optout.mailers.flask_mail import Invitation, Mail
from flask_optout.wiring import current_state

KEY = b"the data key of the fuzz targets"
TO = "jane@example.org"


@cache
def tokens() -> Tokens:
    return Tokens(DataKey(KEY))


@cache
def app() -> Flask:
    app = Flask("fuzz")
    app.config.update(
        SECRET_KEY="not the key of the links",
        SQLALCHEMY_DATABASE_URI="sqlite://",
        OPTOUT_KEYS="a key of the app of the fuzz targets",
    )
    app.config.update(OPTOUT_BASE_URL="https://invite.example.org", MAIL_SUPPRESS_SEND=True)
    db, _ = SQLAlchemy(app), Mail(app)
    OptOut(db, app)
    with app.app_context():
        db.create_all()
    return app


def token(data: bytes) -> None:
    """A token is bad or in its one spelling, also when its payload was signed by us."""
    signed = tokens()._sign(Door.LANDING, data[:400])
    for text in (data.decode("utf-8", "replace"), signed):
        try:
            claim = tokens().read(Door.LANDING, text)
        except BadToken:
            continue
        assert tokens().reissue(Door.LANDING, claim) in text.lower()
        assert all(len(mark.scope) == 8 and len(mark.digest) == 16 for mark in claim.person)


def address(data: bytes) -> None:
    """A recipient is refused, or every spelling of what it was read as is the same person."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        read = parse(text)
    except AddressError:
        return
    assert read.deliverable.isprintable() and len(read.deliverable.encode()) <= 254
    for spelling in (read.deliverable, f"<{read.deliverable}>", f"({read.deliverable}) {read.deliverable} (c)"):
        if "(" in spelling and any(c in read.deliverable for c in '()"\\'):
            continue  # a comment of its own kind
        again = parse(spelling)
        assert (again.deliverable, again.canonical) == (read.deliverable, read.canonical)
    assert parse(read.canonical).canonical == read.canonical
    if read.base is not None:
        assert parse(read.base).canonical == read.base


def headers(data: bytes) -> None:
    """A message is refused, or carries our headers as they are, one recipient, and none that was smuggled in."""
    parts = data.decode("utf-8", "replace").split("\x1f")
    subject, name, value, sender, body = (parts + ["x"] * 5)[:5]
    with app().app_context():
        mail = app().extensions["mail"]
        invitation = Invitation(
            subject,
            recipients=[TO],
            body=body or "x",
            sender=(sender, "team@example.org"),
            extra_headers={name: value},
            opportunity="beta-42",
        )
        try:
            with mail.record_messages() as outbox:
                mail.send(invitation)
        except OptOutError:
            return
        [sent] = outbox
        message = email.message_from_bytes(sent.as_bytes(), policy=email.policy.compat32)
        assert message.get_all("To") == [TO] and message["Bcc"] is None or name.lower() in ("bcc", "to")
        assert message.get_all("List-Unsubscribe") is not None
        [unsubscribe] = message.get_all("List-Unsubscribe", [])
        prefix = current_state().links.url(Door.ONE_CLICK, parse(TO), "beta-42")
        assert unsubscribe == f"<{prefix}>"


def csv(data: bytes) -> None:
    """A list is refused, or each of its rows is good or named by its number, with nothing of it quoted."""
    for prefix in (b"", b"email,opportunity\n", b"\xff\xfe"):
        try:
            rows = [*MuteList(io.BytesIO(prefix + data))]
        except ListError:
            continue
        skipped = [row for row in rows if isinstance(row, Skipped)]
        assert [row.line for row in skipped] == sorted({row.line for row in skipped})
        assert not any("@" in row.reason.replace("no @", "").replace("the @", "") for row in skipped)


TARGETS: dict[str, Callable[[bytes], None]] = {"token": token, "address": address, "headers": headers, "csv": csv}
SEEDS: dict[str, list[bytes]] = {
    "token": [],
    "address": [
        b"jane@x.org",
        b'"Doe, Jane" <jane+2@x.org>',
        b'"a b"@x.org',
        "josé@straße.de".encode(),
        b"a(b(c))@x.org",
    ],
    "headers": [
        b"Join us\x1fX-A\x1fb\x1fTeam\x1fCome",
        b"a\r\n b\x1fBcc\x1fx\r\ny",
        b"\x1fList-Unsubscribe\x1fx",
        b"Join\x1fX\x1fy\x1fa@\xef\xbf\xbd, b",
    ],
    "csv": [b'jane@x.org,beta\n"a,b"@x.org,"c\nd"\n', b"email;opportunity\r\njane@x.org;a\r\n"],
}

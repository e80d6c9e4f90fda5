"""The standard library and its adapter."""

from __future__ import annotations

import smtplib
from collections.abc import Callable, Iterable
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from functools import partial
from typing import Any, TypeVar

from flask_optout.invitations.gate import OnError
from flask_optout.mailers import stdlib as gated
from tests.support.hosts import Host
from tests.support.library import Many, Wanted, Way, over_smtp, pair

M = TypeVar("M", bound=EmailMessage)


def attached(part: Callable[[], Any]) -> Callable[[Any], None]:
    """Attach a part of one of the older classes."""

    def attach(message: Any) -> None:
        message.make_mixed()
        message.attach(part())

    return attach


def old_bodies(message: Any, text: str = "Come.", **params: str) -> None:
    """Put parts of the older classes in place of the texts."""
    message.clear_content()
    message.make_alternative()
    message.attach(MIMEText(text, _charset=params.get("charset")))
    message.attach(MIMEText(f"<p>{text}</p>", "html", params.get("charset")))


def related(message: Any) -> None:
    """Put a picture beside the html, within the alternative."""
    message.get_body(("html",)).add_related(b"\0", "image", "png", cid="<a>")


def alternative_in_related(message: Any) -> None:
    """Put a picture beside both texts."""
    message.clear_content()
    message.make_related()
    message.attach(MIMEMultipart("alternative", None, [MIMEText("Come."), MIMEText("<p>Come.</p>", "html")]))
    message.attach(MIMEText("no body, but a note beside it"))


def root_named_last(message: Any) -> None:
    """Put a style sheet before the html that it belongs to."""
    message.clear_content()
    message.make_related()
    for text, kind, name in (("p {}", "css", "<style>"), ("<p>Come.</p>", "html", "<root>")):
        part = MIMEText(text, kind)
        part["Content-ID"] = name
        message.attach(part)
    message.set_param("start", "<root>")


class StandardLibrary:
    name = "smtplib"
    smtputf8 = True
    works_without_optout = False
    parts: dict[str, Callable[[Any], object]] = {
        "a file": lambda message: message.add_attachment(b"\0\1", "application", "pdf", filename="Plän.pdf"),
        "a file without a name": lambda message: message.add_attachment(b"\0\1", "application", "pdf"),
        "text in a file": lambda message: message.add_attachment("Größe", filename="a.txt"),
        "a message": lambda message: message.add_attachment(EmailMessage()),
        "MIMEText": attached(lambda: MIMEText("Größe")),
        "MIMEApplication": attached(lambda: MIMEApplication(b"data")),
        "MIMEMessage": attached(lambda: MIMEMessage(EmailMessage())),
        "MIMEMultipart": attached(lambda: MIMEMultipart("mixed", None, [MIMEText("a")])),
        "bodies of the older classes": old_bodies,
        "bodies of the older classes in UTF-8": partial(old_bodies, text="Größe"),
        "bodies of the older classes in Latin-1": partial(old_bodies, text="Größe", charset="iso-8859-1"),
        "a picture beside the html": related,
        "an alternative beside a note": alternative_in_related,
        "a root that is not the first": root_named_last,
    }

    def __init__(self) -> None:
        self.ways: dict[str, Way] = {
            "send_message": over_smtp(self.send),
            "sendmail": over_smtp(self._sendmail),
        }
        self.many: dict[str, Many] = {"send_invitations": self.send_invitations}

    def invitation(self, host: Host, wanted: Wanted) -> gated.Invitation:
        invitation = gated.Invitation(opportunity=wanted.opportunity, language=wanted.language)
        return self._fill(invitation, wanted)

    def ordinary(self, host: Host, wanted: Wanted) -> EmailMessage:
        return self._fill(EmailMessage(), wanted)

    def address(self, message: Any, to: str) -> None:
        message.replace_header("To", to)

    def send(self, host: Host, message: Any) -> object:
        return self.send_invitations(host, [message])

    def send_invitations(self, host: Host, messages: Iterable[Any], on_error: OnError | None = None) -> object:
        with self._connected(host) as connection:
            return host.optout.send_invitations(messages, connection.send_message, on_error)  # type: ignore[func-returns-value]

    def send_ungated(self, host: Host, message: Any) -> None:
        with self._connected(host) as connection:
            connection.send_message(message)

    @staticmethod
    def _fill(message: M, wanted: Wanted) -> M:
        message["Subject"] = wanted.subject
        people = {"From": [wanted.sender], "To": wanted.to, "Cc": wanted.cc, "Bcc": wanted.bcc}
        for name, each in (people | {"Reply-To": [wanted.reply_to] if wanted.reply_to else []}).items():
            if each:
                message[name] = ", ".join(pair(person) for person in each)
        for name, value in wanted.headers.items():
            message[name] = value
        if wanted.text is not None:
            message.set_content(wanted.text)
        if wanted.html is not None:
            add = message.set_content if wanted.text is None else message.add_alternative
            add(wanted.html, subtype="html")
        for name, kind, data in wanted.attachments:
            message.add_attachment(data, *kind.split("/"), filename=name)
        return message

    def _sendmail(self, host: Host, message: Any) -> None:
        with self._connected(host) as connection:
            host.optout.send_invitations([message], partial(self._by_sendmail, connection))

    @staticmethod
    def _by_sendmail(connection: smtplib.SMTP, message: EmailMessage) -> None:
        [to] = message["To"].addresses
        connection.sendmail("team@example.org", [to.addr_spec], message.as_bytes())

    @staticmethod
    def _connected(host: Host) -> smtplib.SMTP:
        return smtplib.SMTP(host.app.config["MAIL_SERVER"], host.app.config["MAIL_PORT"])

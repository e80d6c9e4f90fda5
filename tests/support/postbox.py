"""The mail library for which docs/adapters.md writes an adapter: a message class and a client."""

from __future__ import annotations

import smtplib
from contextlib import suppress
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.utils import parseaddr


@dataclass
class Message:
    sender: str = "The team <team@example.org>"
    to: list[str] = field(default_factory=list)
    cc: list[str] = field(default_factory=list)
    bcc: list[str] = field(default_factory=list)
    subject: str = ""
    text: str | None = None
    html: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    reply_to: str = ""
    #: Name, type and data of each.
    attachments: list[tuple[str, str, bytes]] = field(default_factory=list)

    def message(self) -> EmailMessage:
        message = EmailMessage(policy.SMTP)
        message["From"], message["To"], message["Subject"] = self.sender, ", ".join(self.to), self.subject
        if self.reply_to:
            message["Reply-To"] = self.reply_to
        if self.text is not None:
            message.set_content(self.text, cte="8bit")
        if self.html is not None:
            message.add_alternative(self.html, subtype="html", cte="8bit")
        for name, kind, data in self.attachments:
            message.add_attachment(data, *kind.split("/"), filename=name)
        for name, value in self.headers.items():
            message[name] = value
        return message


class Client:
    def __init__(self, host: str, port: int) -> None:
        self._smtp = smtplib.SMTP(host, port)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(smtplib.SMTPServerDisconnected):
            self._smtp.quit()

    def deliver(self, message: Message) -> None:
        everybody = [parseaddr(to)[1] for to in (*message.to, *message.cc, *message.bcc)]
        self._smtp.sendmail(parseaddr(message.sender)[1], everybody, message.message().as_bytes())

"""A real SMTP server inside the app, and for each candidate a page that shows what it received.

It stands in for the candidates' own mail programs, so that the example needs no network. A real app has no such part.
"""

import asyncio
import email.policy
import socket
import threading
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.parser import BytesParser

from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Blueprint, Response, abort, current_app, render_template

from .programme import CANDIDATES

pages = Blueprint("mailbox", __name__)


@dataclass(frozen=True)
class Received:
    """One mail: for whom, when, and its bytes as they came over the wire."""

    number: int
    to: str
    at: datetime
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return BytesParser(EmailMessage, policy=email.policy.default).parsebytes(self.raw)

    def part(self, kind: str) -> str:
        """The ``"plain"`` or the ``"html"`` part."""
        part = self.message.get_body((kind,))
        return "" if part is None else str(part.get_content())


class MailServer:
    """Listens on a free port of this machine as soon as it is made, and keeps what it receives in memory."""

    def __init__(self) -> None:
        self.mails: list[Received] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._socket.getsockname()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, hostname="localhost"), sock=self._socket)
        await server.serve_forever()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        for to in envelope.rcpt_tos:
            self.mails.append(Received(len(self.mails), to, datetime.now(), envelope.original_content or b""))
        return "250 OK"


@pages.get("/mailbox/<id>")
def mailbox(id: str) -> str:
    """Everything that one candidate received, the newest first."""
    name, address = CANDIDATES.get(id) or abort(404)
    mails = [mail for mail in reversed(_server().mails) if mail.to == address]
    return render_template("mailbox.html", id=id, name=name, address=address, mails=mails)


@pages.get("/mail/<int:number>/html")
def html(number: int) -> Response:
    """The html part alone, for a frame: it runs no script, loads nothing, and opens its links in the whole window."""
    response = Response('<base target="_top">' + _mail(number).part("html"))
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-top-navigation-by-user-activation"
    )
    return response


@pages.get("/mail/<int:number>/message.eml")
def source(number: int) -> Response:
    """The bytes as received, for another mail program."""
    return Response(_mail(number).raw, content_type="message/rfc822")


def _server() -> MailServer:
    server: MailServer = current_app.extensions["mail_server"]
    return server


def _mail(number: int) -> Received:
    mails = _server().mails
    return mails[number] if number < len(mails) else abort(404)

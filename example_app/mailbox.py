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
from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from .opportunities import CANDIDATES

pages = Blueprint("mailbox", __name__)
#: Of an html part in its frame: it runs no script, loads our pictures only, and opens its links in the whole window.
HTML_POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; sandbox allow-top-navigation-by-user-activation"
)


@dataclass
class Received:
    """One mail: for whom, when, its bytes as they came over the wire, and whether its reader threw it away."""

    number: int
    to: str
    at: datetime
    raw: bytes
    deleted: bool = False

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

    def to(self, address: str) -> list[Received]:
        """What came for an address, deleted or not."""
        return [mail for mail in self.mails if mail.to == address]

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(self, hostname="localhost"), sock=self._socket)
        await server.serve_forever()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        for to in envelope.rcpt_tos:
            self.mails.append(Received(len(self.mails), to, datetime.now(), envelope.original_content or b""))
        return "250 OK"


def mail_server() -> MailServer:
    """The one that this app sends to."""
    server: MailServer = current_app.extensions["mail_server"]
    return server


@pages.get("/mailbox/<id>")
def mailbox(id: str) -> str | tuple[str, int]:
    """What lies in a candidate's mailbox, the newest first; for htmx, only what came ``after`` so many mails."""
    name, address = CANDIDATES.get(id) or abort(404)
    after, seen = request.args.get("after", 0, int), len(mail_server().mails)
    lying = [mail for mail in reversed(mail_server().to(address)) if not mail.deleted]
    new = [mail for mail in lying if mail.number >= after]
    if "HX-Request" not in request.headers:
        return render_template("mailbox.html", id=id, name=name, address=address, lying=lying, mails=lying, seen=seen)
    if not new:
        return "", 204
    return render_template("_mails.html", id=id, lying=lying, mails=new, seen=seen)


@pages.post("/mailbox/<id>/empty")
def empty(id: str) -> BaseResponse:
    """Throw all mails of a candidate away."""
    _, address = CANDIDATES.get(id) or abort(404)
    for mail in mail_server().to(address):
        mail.deleted = True
    return redirect(url_for(".mailbox", id=id), 303)


@pages.get("/mail/<int:number>/html")
def html(number: int) -> Response:
    """The html part alone, for a frame."""
    response = Response('<base target="_top">' + _mail(number).part("html"))
    response.headers["Content-Security-Policy"] = HTML_POLICY
    return response


@pages.get("/mail/<int:number>/message.eml")
def source(number: int) -> Response:
    """The bytes as received, for another mail program."""
    return Response(_mail(number).raw, content_type="message/rfc822")


def _mail(number: int) -> Received:
    mails = mail_server().mails
    return mails[number] if number < len(mails) else abort(404)

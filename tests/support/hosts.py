"""A host app as a developer would write it, and what stands around it: a mail server, a web server."""

from __future__ import annotations

import email
import email.policy
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import sqlalchemy as sa
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import MISSING
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner
from flask_sqlalchemy import SQLAlchemy
from jinja2 import StrictUndefined
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.serving import make_server

from flask_optout import OptOut
from flask_optout.addresses import parse
from flask_optout.choices.repository import Statement
from flask_optout.links.tokens import Claim, Door
from flask_optout.mailers.flask_mail import Invitation, Mail
from flask_optout.presses.evidence import Nonce, Page
from flask_optout.wiring import LONGEST_QUEUE, current_state

KEY = "a key of a test host, 32 bytes or more"
OLD = "a key that this host had before, 32 bytes or more"
#: The visit that the pages of a test belong to, unless it says otherwise.
VISIT = "aaaaaaaaaaaa"
BASE_URL = "https://invite.example.org"
OPPORTUNITIES = {
    "beta-42": {"title": "Pixel Beta", "summary": "Try the new camera.", "link": "https://example.org/beta-42"},
    "study-7": {"title": "Sleep Study", "summary": "Wear a watch for a week.", "link": "/studies/7"},
}


@dataclass
class Host:
    """An app with Flask-SQLAlchemy, Flask-Mail and OptOut."""

    app: Flask
    db: SQLAlchemy
    optout: OptOut
    mail: Mail

    def invitation(self, to: str = "jane@example.org", opportunity: str = "beta-42", **fields: Any) -> Invitation:
        fields = {"body": "Come and try it.", "html": "<p>Come and try it.</p>", **fields}
        return Invitation("Join us", recipients=[to], opportunity=opportunity, **fields)

    def path(self, to: str = "jane@example.org", opportunity: str = "beta-42") -> str:
        """The path of a candidate's link."""
        return urlsplit(self.optout.link(to, opportunity)).path

    def press(self, path: str, command: str, htmx: bool = True) -> tuple[int, str]:
        """Press a button of the page behind a link, one that asked for it; gives the status and the answer."""
        headers = {"HX-Request": "true"} if htmx else {}
        with self.app.app_context():
            claim = current_state().tokens.read(Door.LANDING, path.rpartition("/")[2])
            # By a clock that is ahead, so that the page has asked about every press there was.
            form = self._form(command, claim, Page.REPEAT, age=-1.0)
        data = {**form, "scripts": "trusted" if htmx else ""}
        answer = self.app.test_client().post(path, data=data, headers=headers)
        return answer.status_code, answer.get_data(as_text=True)

    def claim(self, to: str = "jane@example.org", opportunity: str = "beta-42") -> Claim:
        """What a candidate's link proves."""
        tokens = current_state().tokens
        return tokens.read(Door.LANDING, tokens.mint(Door.LANDING, parse(to), opportunity))

    def wait(self, seconds: float) -> None:
        """Put the app's clock forward."""
        state = current_state()
        clock = state.clock
        state.clock = lambda: clock() + seconds

    def form(
        self,
        choice: str,
        to: str = "jane@example.org",
        opportunity: str = "beta-42",
        page: Page = Page.OPENED,
        age: float = 5.0,
        visit: str = VISIT,
    ) -> dict[str, str]:
        """The form of a candidate's page that was opened ``age`` seconds ago, with one button pressed."""
        return self._form(choice, self.claim(to, opportunity), page, age, visit)

    def _form(self, choice: str, claim: Claim, page: Page, age: float, visit: str = VISIT) -> dict[str, str]:
        state = current_state()
        nonce = state.nonces.issue(claim, Nonce(page, state.clock() - age, visit))
        word = partial(state.nonces.make_word, nonce)
        button = {word("choice"): word(choice)} if page is Page.REPEAT else {"choice": choice}
        return {"nonce": nonce, "scripts": "", **button}


def say(
    host: Host, muted: bool, to: str = "jane@x.org", opportunity: str = "beta-42", everything: bool = False
) -> None:
    """Store a candidate's choice, as a press does."""
    statement = Statement(host.claim(to, opportunity).person[everything], muted, "page")
    current_state().choices.transact(lambda connection: (None, [statement]))


class CompiledTemplates(BytecodeCache):
    """Compiled templates of all hosts, so that each host need not compile them anew."""

    codes: ClassVar[dict[tuple[object, ...], CodeType | None]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self.codes.get(self._key(bucket))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.codes[self._key(bucket)] = bucket.code

    @staticmethod
    def _key(bucket: Bucket) -> tuple[object, ...]:
        # With extensions such as Flask-Babel's, the same source becomes other code.
        return (bucket.key, bucket.checksum, *bucket.environment.extensions)


class Commands(FlaskCliRunner):
    """Raises what a command does not handle, which would look like an exit status of 1."""

    def invoke(self, cli: Any = None, args: Any = None, **options: Any) -> Result:  # type: ignore[override]
        return super().invoke(cli, args, catch_exceptions=False, **options)


def write_carelessly(connection: Any, _: object) -> None:
    """What a test writes need not outlive a power cut: SQLite does not wait for the disk."""
    connection.execute("PRAGMA synchronous=OFF")


def make_host(folder: Path, operator: Callable[..., Any] | None = None, **config: Any) -> Host:
    """A host whose SQLite file stands in ``folder``, as strict as a host can be with what a template is not given.

    Settings given as ``None`` are left out.
    """
    app = Flask("host", instance_path=str(folder / "instance"))
    app.jinja_options = {"bytecode_cache": CompiledTemplates(), "undefined": StrictUndefined}
    app.test_cli_runner_class = Commands
    settings = {
        "SECRET_KEY": KEY,
        "SQLALCHEMY_DATABASE_URI": f"sqlite:///{folder / 'host.db'}",
        "OPTOUT_BASE_URL": BASE_URL,
        "MAIL_DEFAULT_SENDER": ("The team", "team@example.org"),
        **config,
    }
    app.config.update({name: value for name, value in settings.items() if value is not None})
    db = SQLAlchemy(app)
    optout = OptOut(db, app, operator=operator)
    optout.opportunity_loader(OPPORTUNITIES.get)
    mail = Mail(app)
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            sa.event.listen(db.engine, "connect", write_carelessly)
        db.create_all()
    return Host(app, db, optout, mail)


def dispose(host: Host) -> None:
    """Close its connections, when those that wait in vain for a database have given theirs back."""
    with host.app.app_context():
        for engine in host.db.engines.values():
            deadline = time.monotonic() + 20
            while (out := getattr(engine.pool, "checkedout", int)()) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert out <= 0, f"{out} connections never came back to the pool"
            engine.dispose()


@dataclass
class Received:
    """One SMTP transaction: the envelope and the bytes, as they came over the wire."""

    mail_from: str
    rcpt_to: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        message = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message

    def part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content())


Box = TypeVar("Box", bound="Mailbox")


@dataclass
class Mailbox:
    """What a real SMTP server received."""

    host: str = "127.0.0.1"
    port: int = 0
    received: list[Received] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.received.append(Received(envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        # As no server answers RSET: whoever passes this on tells who was sent the text.
        return f"250 OK queued as {len(self.received)}"

    def to(self, address: str) -> list[Received]:
        return [mail for mail in self.received if mail.rcpt_to == [address]]


class RefusesRecipients(Mailbox):
    """A mail server without mailboxes."""

    async def handle_RCPT(self, *arguments: Any) -> str:
        return "550 5.1.1 no such mailbox"


class HangsUp(Mailbox):
    """A mail server that ends the first connection before a mail, as one that has waited too long."""

    has_hung_up = False

    async def hang_up(self, server: Any, *arguments: Any) -> Any:
        if not self.has_hung_up:
            self.has_hung_up = True
            server.transport.close()
        return MISSING

    handle_MAIL = handle_NOOP = handle_RSET = hang_up


@contextmanager
def smtp_server(kind: type[Box], controller: type[Controller] = Controller) -> Iterator[Box]:
    mailbox = kind(port=free_port())
    server = controller(mailbox, hostname=mailbox.host, port=mailbox.port, enable_SMTPUTF8=False)
    server.start()
    try:
        yield mailbox
    finally:
        server.stop()


@contextmanager
def http_server(app: Flask, port: int) -> Iterator[str]:
    """Serve the app on a real socket; gives its base URL."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def until(is_so: Callable[[], object], what: str = "what was waited for") -> None:
    """Wait until this is so.

    :raises AssertionError: when it is not so within a minute.
    """
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.02)


def wait_for(server: subprocess.Popen[Any], port: int) -> None:
    """Wait until a server that was started listens; whoever connects then is answered when it is ready.

    :raises AssertionError: when it has ended, or does not listen.
    """

    def is_up() -> bool:
        assert server.poll() is None, f"{server.args!r} has ended"
        return listens(port)

    until(is_up, f"{server.args!r}")


def settle() -> None:
    """Wait until every mail with a link that was asked for has left."""
    for _ in range(LONGEST_QUEUE):
        current_state().places.acquire()
    for _ in range(LONGEST_QUEUE):
        current_state().places.release()

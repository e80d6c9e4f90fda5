"""The recipes of docs/providers.md, run as they stand against a local server that answers as each vendor does."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import getaddresses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from flask_optout.wiring import current_state
from tests.support.hosts import KEY

MANUAL = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()
APP, SES, JSON, POSTMARK, SENDGRID, RESEND = re.findall(r"^```python\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
OURS = ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Auto-Submitted")
REFUSED = "refused@example.org"


@dataclass
class Taken:
    """What a vendor took; ``people`` are those of To, From and Reply-To, as names and addresses."""

    people: list[list[tuple[str, str]]]
    subject: str
    headers: dict[str, str]
    text: str
    html: str

    @property
    def to(self) -> list[tuple[str, str]]:
        return self.people[0]


def from_ses(body: Any) -> Taken:
    assert body["FromEmailAddress"]
    message = email.message_from_bytes(base64.b64decode(body["Content"]["Raw"]["Data"]), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None and html is not None
    people = [getaddresses([str(message[name] or "")]) for name in ("To", "From", "Reply-To")]
    assert body["Destination"] == {"ToAddresses": [address for _, address in people[0]]}
    return Taken(people, message["Subject"], dict(message.items()), text.get_content(), html.get_content())


def from_postmark(body: Any) -> Taken:
    assert body["MessageStream"] and body["TrackLinks"] == "None"
    people = [getaddresses([body.get(name, "")]) for name in ("To", "From", "ReplyTo")]
    headers = {header["Name"]: header["Value"] for header in body["Headers"]}
    return Taken(people, body["Subject"], headers, body["TextBody"], body["HtmlBody"])


def from_sendgrid(body: Any) -> Taken:
    (person,) = body["personalizations"]
    # These names the documentation reserves.
    reserved = {"content-type", "content-transfer-encoding", "to", "from", "subject", "reply-to", "cc", "bcc"}
    assert not reserved & {name.lower() for name in body["headers"]}
    assert [part["type"] for part in body["content"]] == ["text/plain", "text/html"]
    assert not any(setting["enable"] for setting in body["tracking_settings"].values())
    lists = (person["to"], [body["from"]], [body["reply_to"]] if "reply_to" in body else [])
    people = [[(who.get("name", ""), who["email"]) for who in each] for each in lists]
    return Taken(people, body["subject"], body["headers"], *(part["value"] for part in body["content"]))


def from_resend(body: Any) -> Taken:
    people = [getaddresses(each) for each in (body["to"], [body["from"]], [body.get("reply_to", "")])]
    return Taken(people, body["subject"], body["headers"], body["text"], body["html"])


@dataclass(frozen=True)
class Vendor:
    """A recipe, and what the vendor documents of the call: its path, its credential, its body, its answers."""

    recipe: str
    path: str
    credential: tuple[str, str]
    read: Callable[[Any], Taken]
    accepted: int = 200
    refusal: int = 422


VENDORS = {
    "Amazon SES": Vendor(
        SES, "/v2/email/outbound-emails", ("Authorization", r"AWS4-HMAC-SHA256 .+"), from_ses, 200, 400
    ),
    "Postmark": Vendor(JSON + POSTMARK, "/email", ("X-Postmark-Server-Token", "secret"), from_postmark),
    "SendGrid": Vendor(JSON + SENDGRID, "/v3/mail/send", ("Authorization", "Bearer secret"), from_sendgrid, 202, 400),
    "Resend": Vendor(JSON + RESEND, "/emails", ("Authorization", "Bearer secret"), from_resend),
}


@dataclass
class Server:
    """Stands in for a vendor; it refuses one address."""

    vendor: Vendor
    taken: list[Taken] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, headers: Any, body: bytes) -> int:
        name, credential = self.vendor.credential
        assert path == self.vendor.path and headers["Content-Type"].startswith("application/json")
        assert re.fullmatch(credential, headers[name]) and headers["User-Agent"]
        taken = self.vendor.read(json.loads(body))
        if taken.to[0][1] == REFUSED:
            return self.vendor.refusal
        self.taken.append(taken)
        return self.vendor.accepted


@contextmanager
def serving(vendor: Vendor) -> Iterator[Server]:
    here = Server(vendor)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                status = here.answer(self.path, self.headers, self.rfile.read(int(self.headers["Content-Length"])))
            except Exception:
                self.send_error(500)
                raise
            answer = b"{}"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    here.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(params=VENDORS.values(), ids=[*VENDORS])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(request.param) as server:
        yield server


@pytest.fixture
def recipe(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The manual's app with one recipe, whose vendor is the local server."""
    settings = {
        "FLASK_SECRET_KEY": KEY,
        "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path / 'app.db'}",
        **{f"FLASK_{name}": "secret" for name in ("POSTMARK_TOKEN", "SENDGRID_KEY", "RESEND_KEY")},
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_SESV2": server.url,
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    module = ModuleType("recipe")
    exec(APP + server.vendor.recipe, vars(module))
    for name in ("POSTMARK", "SENDGRID", "RESEND"):
        if name in vars(module):
            setattr(module, name, server.url + re.sub(r"https://[^/]+", "", getattr(module, name)))
    with module.app.app_context():
        current_state().create_tables()
        yield module
        module.app.extensions["sqlalchemy"].engine.dispose()
    if "ses" in vars(module):
        module.ses.close()
    for _, error in module.failed:
        getattr(error, "close", lambda: None)()


def invite(recipe: ModuleType, *people: Any) -> None:
    send = next(value for name, value in vars(recipe).items() if name.startswith("send_by_"))
    recipe.invite_all(people, send)


def link(recipe: ModuleType, address: str) -> str:
    return str(recipe.optout.link(address, "camera"))


def test_an_invitation_arrives_whole(recipe: ModuleType, server: Server) -> None:
    invite(recipe, "jane@example.org")
    assert recipe.failed == []
    (taken,) = server.taken
    assert taken.people[:2] == [[("", "jane@example.org")], [("The team", "team@example.org")]]
    assert taken.subject == "Join us"
    assert [name for name in taken.headers if name in OURS] == list(OURS)
    assert re.fullmatch(r"<https://jobs\.example\.org/optout/one-click/[a-z2-7]+>", taken.headers["List-Unsubscribe"])
    assert taken.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert taken.headers["Auto-Submitted"] == "auto-generated"
    for body in (taken.text, taken.html):
        assert "Test our camera." in body and body.count(link(recipe, "jane@example.org")) == 1


def test_names_headers_and_long_lines_arrive_as_they_are(recipe: ModuleType, server: Server) -> None:
    text = "Žluťoučký kůň 馬 " * 200

    def dressed(address: Any) -> Any:
        message = recipe_invite(address)
        message["Reply-To"] = Address("Ask, us", "ask", "example.org")
        message["X-Campaign"] = "spring"
        message.get_body(("plain",)).set_content(text)
        message.get_body(("html",)).set_content(f"<p>{text}</p>", subtype="html")
        return message

    recipe_invite, recipe.invite = recipe.invite, dressed  # type: ignore[attr-defined]
    invite(recipe, Address("Doe, Žofie", "jane", "example.org"))
    assert recipe.failed == []
    (taken,) = server.taken
    to, _, reply_to = taken.people
    assert (to, reply_to) == ([("Doe, Žofie", "jane@example.org")], [("Ask, us", "ask@example.org")])
    assert taken.headers["X-Campaign"] == "spring"
    assert text in taken.text and text in taken.html


def test_a_muted_person_gets_nothing(recipe: ModuleType, server: Server) -> None:
    invite(recipe, "jane@example.org")
    url = server.taken.pop().headers["List-Unsubscribe"].strip("<>")
    assert recipe.app.test_client().post(url, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    invite(recipe, "jane@example.org", "kim@example.org")
    assert [taken.to for taken in server.taken] == [[("", "kim@example.org")]]
    assert recipe.failed == []


def test_whom_the_vendor_refuses_is_told_and_stops_nobody_else(recipe: ModuleType, server: Server) -> None:
    invite(recipe, REFUSED, "jane@example.org")
    assert [taken.to for taken in server.taken] == [[("", "jane@example.org")]]
    ((message, error),) = recipe.failed
    assert message["To"] == REFUSED
    assert str(server.vendor.refusal) in str(getattr(error, "code", getattr(error, "response", "")))

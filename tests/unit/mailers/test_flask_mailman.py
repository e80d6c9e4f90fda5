"""Messages of Flask-Mailman: an Invitation leaves only as what the gate has cleared, made of it and of a letter."""

from __future__ import annotations

import pickle
from email.mime.text import MIMEText
from typing import Any

import pytest
from flask_babel import LazyString
from flask_mailman import EmailMessage

from flask_optout import AddressError, InvitationError, NotGated
from flask_optout.mailers.flask_mailman import Cleared, Invitation, Mail
from tests.support.hosts import Host, say


@pytest.fixture(autouse=True)
def mail(host: Host) -> Mail:
    host.app.config["MAIL_BACKEND"] = "locmem"
    return Mail(host.app)


def invitation(to: str = "jane@example.org", html: str = "<p>Come.</p>", **fields: Any) -> Invitation:
    invitation = Invitation("Join us", "Come.", to=[to], opportunity="beta-42", **fields)
    invitation.attach_alternative(html, "text/html")
    return invitation


def left(mail: Mail, message: EmailMessage) -> Any:
    """What left of a message."""
    assert mail.get_connection().send_messages([message]) == 1
    [ready] = mail.outbox
    return ready


def test_an_invitation_refuses_to_be_serialised() -> None:
    with pytest.raises(NotGated):
        invitation().message()


@pytest.mark.parametrize("name", ["cc", "bcc"])
def test_nobody_gets_a_copy(name: str) -> None:
    fields: dict[str, Any] = {name: ["bob@example.org"]}
    with pytest.raises(InvitationError, match=f"An invitation has a {name}"):
        invitation(**fields).send()


def test_an_address_that_the_library_cannot_deliver_to_is_refused() -> None:
    with pytest.raises(AddressError, match="SMTPUTF8"):
        invitation("jané@example.org").send()


def test_a_body_of_html_alone_is_the_html_part(host: Host, mail: Mail) -> None:
    alone = Invitation("Join us", "<body>Come.</body>", to=["jane@example.org"], opportunity="beta-42")
    alone.content_subtype = "html"
    body = left(mail, alone).body
    assert f'href="{host.optout.link("jane@example.org", "beta-42")}"' in body and body.endswith("</body>")


HTML, TEXT = ("<p>Come.</p>", "text/html"), ("Come.", "text/plain")
#: The type of the body, the alternatives, and the types of the parts that carry the link.
PARTS: dict[str, tuple[str, list[tuple[str, str]], list[str]]] = {
    "a text beside a body of html": ("html", [TEXT], ["text/html", "text/plain"]),
    "two of html": ("plain", [("<p>Old.</p>", "text/html"), HTML], ["text/plain", "text/html"]),
    "html beside a body of html": ("html", [("<p>New.</p>", "text/html")], ["text/html"]),
    "a type with parameters": ("plain", [("<p>Come.</p>", "text/html; charset=utf-8")], ["text/plain", "text/html"]),
    "a type in capitals": ("plain", [("<p>Come.</p>", "TEXT/HTML")], ["text/plain", "text/html"]),
    "a calendar": ("plain", [HTML, ("BEGIN:VCALENDAR", "text/calendar")], ["text/plain", "text/html"]),
}


@pytest.mark.parametrize("row", PARTS)
def test_the_last_part_of_each_kind_carries_the_link_and_the_others_stay(host: Host, mail: Mail, row: str) -> None:
    kind, alternatives, carrying = PARTS[row]
    source = Invitation("Join us", "Body.", to=["jane@example.org"], opportunity="beta-42", alternatives=alternatives)
    source.content_subtype = kind
    link, parts = host.optout.link("jane@example.org", "beta-42"), left(mail, source).message().get_payload()
    texts = [part.get_payload(decode=True).decode() for part in parts]
    assert [part.get_content_type() for part, text in zip(parts, texts, strict=True) if link in text] == carrying
    written = ["Body.", *(text for text, _ in alternatives)]
    assert all(text.startswith(before) for text, before in zip(texts, written, strict=True))
    assert sum(text != before for text, before in zip(texts, written, strict=True)) == len(carrying)


@pytest.mark.parametrize(
    ("reply_to", "header"),
    [
        ([LazyString(lambda: "help@example.org")], "help@example.org"),
        (["a@example.org", "Bo <b@example.org>"], "a@example.org, Bo <b@example.org>"),
        (("a@example.org",), "a@example.org"),
        (None, None),
    ],
)
def test_replies_go_to_whom_the_library_would_name(mail: Mail, reply_to: Any, header: str | None) -> None:
    source = invitation()
    source.reply_to = reply_to
    assert left(mail, source).message()["Reply-To"] == header


@pytest.mark.parametrize("charset", ["iso-8859-1", "us-ascii", "koi8-r", "utf-8"])
def test_a_footer_in_another_script_than_the_charsets_leaves_in_utf_8(host: Host, mail: Mail, charset: str) -> None:
    host.optout.opportunity_loader(lambda id: {"title": "„Kamera“ ☃"})
    source = invitation()
    source.encoding = charset
    parts = left(mail, source).message().get_payload()
    assert [part.get_content_charset() for part in parts] == ["utf-8", "utf-8"]
    assert all("„Kamera“ ☃" in part.get_payload(decode=True).decode() for part in parts)
    assert source.encoding == charset


def test_a_part_that_the_host_has_made_is_left_as_it_is(mail: Mail) -> None:
    part = MIMEText("x" * 999)
    before = part.as_bytes()
    source = invitation(attachments=[part])
    assert "quoted-printable" in left(mail, source).message().as_string()
    assert part.as_bytes() == before and source.attachments == [part]


def test_what_can_be_read_once_is_not_lost(mail: Mail) -> None:
    source = invitation()
    source.attachments, source.reply_to = iter([("a.txt", "a", "text/plain")]), iter(["help@example.org"])  # type: ignore[assignment]
    source.alternatives = zip(["<p>Come.</p>"], ["text/html"], strict=True)  # type: ignore[assignment]
    message = left(mail, source).message()
    assert [part.get_content_subtype() for part in message.walk()] == [
        "mixed",
        "alternative",
        *("plain", "html", "plain"),
    ]
    assert message["Reply-To"] == "help@example.org"


class Own(Invitation):
    """As hosts change what the library makes."""

    encoding = "iso-8859-1"
    mixed_subtype = "related"

    def message(self) -> Any:
        message = super().message()
        message["X-Signer"] = "host"
        return message

    def recipients(self) -> list[str]:
        return [*super().recipients(), "bob@example.org"]


def own() -> Own:
    return Own("Join us", "Come.", to=["jane@example.org"], opportunity="beta-42", attachments=[MIMEText("a")])


def test_what_the_hosts_own_class_overrides_stays_but_for_the_recipient(mail: Mail) -> None:
    with pytest.raises(NotGated):
        own().message()
    ready = left(mail, own())
    message = ready.message()
    assert (message["X-Signer"], message.get_content_type()) == ("host", "multipart/related")
    assert message.get_payload()[0].get_content_charset() == "iso-8859-1"
    assert ready.recipients() == ["jane@example.org"]


def computed(value: Any, later: Any = None) -> Any:
    """A property that takes no other value; ``later``: its value in what leaves."""
    return property(lambda self: later if later and isinstance(self, Cleared) else value, lambda self, other: None)


class Computed(Invitation):
    """As hosts compute what they send."""

    to = computed(["jane@example.org"], ["bob@example.org"])
    cc = bcc = computed([], ["bob@example.org"])
    subject, body, alternatives = computed("Join us"), computed("Come."), computed([("<p>Come.</p>", "text/html")])
    attachments, extra_headers = computed([("a.txt", "a", "text/plain")]), computed({"X-Campaign": "spring"})
    encoding = property(lambda self: "us-ascii")


def test_a_property_of_the_hosts_own_class_hides_neither_the_link_nor_the_checked_recipient(
    host: Host, mail: Mail
) -> None:
    host.optout.opportunity_loader(lambda id: {"title": "„Kamera“ ☃"})
    ready, link = left(mail, Computed(opportunity="beta-42")), host.optout.link("jane@example.org", "beta-42")
    message = ready.message()
    text, html, file = (part for part in message.walk() if not part.is_multipart())
    assert all(link in part.get_payload(decode=True).decode() for part in (text, html)) and file.get_filename()
    assert ready.recipients() == ["jane@example.org"] == [message["To"]] and message["Cc"] is None
    assert (message["X-Campaign"], message["Subject"]) == ("spring", "Join us") and message["List-Unsubscribe"]


@pytest.mark.parametrize("written", [invitation, own])
def test_a_backend_may_keep_what_leaves_in_a_queue(mail: Mail, written: Any) -> None:
    written().send()
    [ready] = mail.outbox
    again = pickle.loads(pickle.dumps(ready))
    assert again.message().as_bytes() == ready.message().as_bytes()
    mail.outbox.clear()
    assert again.send() == 1 and mail.outbox == [again], "without a second footer"


@pytest.mark.parametrize(
    "sender", ["Acme, Inc. <team@example.org>", "a@b <team@example.org>", "[A] <team@example.org>"]
)
def test_a_sender_that_the_library_cannot_read_is_refused_without_an_address(mail: Mail, sender: str) -> None:
    with pytest.raises(InvitationError, match="the sender and Reply-To") as refused:
        invitation(from_email=sender).send()
    assert "team" not in str(refused.value)


def test_what_leaves_is_a_message_of_its_own(host: Host, mail: Mail) -> None:
    source = invitation(headers={"X-Campaign": "spring", "X-Number": 7})
    before = dict(vars(source))
    ready = left(mail, source).message()
    link = host.optout.link("jane@example.org", "beta-42")
    assert vars(source) == before
    text, html = ready.get_payload()
    assert link in text.get_payload() and link in html.get_payload()
    assert (ready["X-Campaign"], ready["X-Number"]) == ("spring", "7") and ready["Message-ID"]


@pytest.mark.parametrize(
    ("to", "written"),
    [
        ("Jane <jane@example.org>", "Jane <jane@example.org>"),
        ("jane@EXAMPLE.org", "jane@example.org"),
    ],
)
def test_a_recipient_stays_as_written_where_the_library_sends_to_the_checked_address(
    mail: Mail, to: str, written: str
) -> None:
    assert left(mail, invitation(to)).to == [written]


class Bare:
    """A backend of the host's own that has what the library calls, and no more."""

    def __init__(self, **options: Any) -> None:
        pass

    def send_messages(self, messages: list[EmailMessage]) -> int:
        return len(messages)


class Lazy(Bare):
    """One that connects where it sends, and not when it is opened."""

    connection: object = None


@pytest.mark.parametrize("backend", [Bare, Lazy])
def test_a_backend_need_not_be_of_the_librarys_class(mail: Mail, backend: type[Any]) -> None:
    ordinary = EmailMessage("Hello", "Hi.", to=["bob@example.org"])
    assert mail.get_connection(backend).send_messages([invitation(), ordinary]) == 2


def test_an_invitation_and_an_ordinary_message_leave_together_and_a_muted_one_counts(host: Host, mail: Mail) -> None:
    say(host, True, to="bob@example.org")
    ordinary = EmailMessage("Hello", "Hi.", to=["bob@example.org"])
    assert mail.get_connection().send_messages([invitation(), invitation("bob@example.org"), ordinary]) == 3
    invited, other = mail.outbox
    assert host.optout.link("jane@example.org", "beta-42") in invited.body and other is ordinary
    assert mail.get_connection().send_messages([]) == 0

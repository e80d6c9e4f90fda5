"""What every adapter is held to, on every way out of its library, over a real SMTP server."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_optout import InvitationError, NotGated
from tests.conftest import MakeHost
from tests.support.adapters import each_library, each_way
from tests.support.email_log import rows
from tests.support.hosts import BASE_URL, Host, Mailbox, say
from tests.support.library import Library, Wanted, over_smtp, password

pytestmark = pytest.mark.long

TOKEN = re.compile(r"/optout/(?:one-click/)?([a-z2-7]{50,})")


def send(library: Library, host: Host, smtp: Mailbox, *wanted: Wanted, way: str = "") -> list[bytes]:
    send_by = library.ways[way] if way else over_smtp(library.send)
    return send_by(host, smtp, [library.invitation(host, one) for one in wanted])


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def bodies(raw: bytes) -> Iterator[str]:
    for part in parsed(raw).walk():
        if part.get_content_maintype() == "text":
            yield part.get_content()


def everything(raw: bytes) -> str:
    """All that a recipient can see of a message, decoded."""
    return "\n".join([*(f"{name}: {value}" for name, value in parsed(raw).items()), *bodies(raw)])


def header_lines(raw: bytes) -> list[bytes]:
    return raw.replace(b"\r\n", b"\n").split(b"\n\n")[0].split(b"\n")


@each_way
def test_an_invitation_leaves_with_its_link_and_its_headers(
    library: Library, way: str, host: Host, smtp: Mailbox
) -> None:
    (raw,) = send(library, host, smtp, Wanted(), way=way)
    message = parsed(raw)
    assert message["To"] == "jane@example.org"
    assert message["List-Unsubscribe"].startswith(f"<{BASE_URL}/optout/one-click/")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    link = host.optout.link("jane@example.org", "beta-42")
    texts = list(bodies(raw))
    assert texts and all(link in text for text in texts)


@each_library
def test_an_invitation_speaks_the_language_of_its_recipient(library: Library, host: Host, smtp: Mailbox) -> None:
    (raw,) = send(library, host, smtp, Wanted(language="de", reply_to=("Help", "help@example.org")))
    assert (parsed(raw)["Content-Language"], parsed(raw)["Reply-To"]) == ("de", "Help <help@example.org>")
    link = host.optout.link("jane@example.org", "beta-42", "de")
    assert all(link in text for text in bodies(raw))
    assert "Reply-To: Help <help@example.org>" in rows()[0].headers


@each_way
def test_an_invitation_to_a_muted_person_leaves_nothing(
    library: Library, way: str, host: Host, smtp: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    say(host, True, "jane@example.org")
    assert send(library, host, smtp, Wanted(), way=way) == []
    assert caplog.records == []
    assert len(send(library, host, smtp, Wanted(opportunity="study-7"), way=way)) == 1


@each_way
def test_ordinary_mail_is_not_touched(library: Library, way: str, host: Host, smtp: Mailbox) -> None:
    say(host, True, "jane@example.org", everything=True)
    (raw,) = library.ways[way](host, smtp, [library.ordinary(host, password())])
    assert "optout" not in everything(raw)
    assert "List-Unsubscribe" not in parsed(raw)


@each_library
def test_what_a_send_gives_is_the_same_for_everybody(library: Library, host: Host, smtp: Mailbox) -> None:
    def sent() -> list[object]:
        """What each way gives that can give something."""
        many = (send_many(host, [library.invitation(host, Wanted())]) for send_many in library.many.values())
        return [library.send(host, library.invitation(host, Wanted())), *many]

    given = sent()
    assert "optout" not in str(given), "it is not what left"
    assert "queued" not in str(given), "nor what the mail server said to its text"
    say(host, True, "jane@example.org")
    assert sent() == given


@each_way
def test_a_muted_person_in_the_middle_stops_nothing(library: Library, way: str, host: Host, smtp: Mailbox) -> None:
    say(host, True, "b@example.org")
    people = ["a@example.org", "b@example.org", "c@example.org"]
    left = send(library, host, smtp, *(Wanted([person]) for person in people), way=way)
    assert [parsed(raw)["To"] for raw in left] == ["a@example.org", "c@example.org"]


@each_library
@pytest.mark.parametrize("size", [40, 79, 200, 400])
def test_our_headers_stand_on_one_line(library: Library, size: int, make: MakeHost, smtp: Mailbox) -> None:
    base = "https://invite.example.org/".ljust(size, "x")
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, OPTOUT_BASE_URL=base)
    with host.app.app_context():
        (raw,) = send(library, host, smtp, Wanted(opportunity="o" * 128))
    lines = [line for line in header_lines(raw) if line.startswith(b"List-Unsubscribe:")]
    assert len(lines) == 1
    assert re.fullmatch(rb"List-Unsubscribe: <%b/optout/one-click/[a-z2-7]+>" % re.escape(base.encode()), lines[0])
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in header_lines(raw)


@each_library
@pytest.mark.parametrize(
    ("written", "delivered"),
    [
        ("JANE@Example.ORG", "JANE@example.org"),
        (" jane@example.org ", "jane@example.org"),
        ("jane@stra\u00dfe.de", "jane@xn--strae-oqa.de"),
        (("Jane Doe", "jane@EXAMPLE.org"), "jane@example.org"),
    ],
)
def test_the_address_checked_is_the_address_sent_to(
    library: Library, written: Any, delivered: str, host: Host, smtp: Mailbox
) -> None:
    (raw,) = send(library, host, smtp, Wanted([written]))
    assert smtp.received[-1].rcpt_to == [delivered]
    assert [address.addr_spec for address in parsed(raw)["To"].addresses] == [delivered]
    say(host, True, delivered)
    assert send(library, host, smtp, Wanted([written])) == []


@each_library
@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(subject="Join\nBcc: eve@example.org"),
        Wanted(subject="Join\r\nBcc: eve@example.org"),
        Wanted(headers={"X-Note": "a\r\nBcc: eve@example.org"}),
        Wanted(headers={"X-Note: a\r\nBcc": "eve@example.org"}),
        Wanted([("Jane\r\nBcc: eve@example.org", "jane@example.org")]),
        Wanted(["jane@example.org\r\nBcc: eve@example.org"]),
        Wanted(headers={"List-Unsubscribe": "<https://example.org>"}),
        Wanted(headers={"list-id": "<example.org>"}),
        Wanted(headers={"Resent-To": "eve@example.org"}),
        Wanted(["jane"]),
        Wanted(["a@example.org <b@example.org>"]),
        Wanted([]),
        Wanted(text=None, html=None),
        Wanted(opportunity=""),
        Wanted(opportunity="*"),
        Wanted(language="no language"),
    ],
    ids=repr,
)
def test_what_would_break_an_invitation_is_refused(
    library: Library, wanted: Wanted, host: Host, smtp: Mailbox
) -> None:
    with pytest.raises(ValueError):  # of which ours are children; a library may be faster
        send(library, host, smtp, wanted)
    assert smtp.received == []


@each_library
@pytest.mark.parametrize("muted", [False, True])
def test_a_mailer_that_does_not_know_the_gate_gets_nothing(
    library: Library, muted: bool, host: Host, smtp: Mailbox
) -> None:
    if muted:
        say(host, True, "jane@example.org")
    with pytest.raises(NotGated):
        library.send_ungated(host, library.invitation(host, Wanted()))
    library.send_ungated(host, library.ordinary(host, password()))
    assert [mail.message["Subject"] for mail in smtp.received] == ["Your password"]


@each_library
@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(["a@example.org", "b@example.org"]),
        Wanted(["a@example.org"], cc=["b@example.org"]),
        Wanted(["a@example.org"], bcc=["b@example.org"]),
        Wanted(["a@example.org"], cc=["a@example.org"], bcc=["a@example.org"]),
    ],
    ids=repr,
)
def test_several_recipients_are_refused(library: Library, wanted: Wanted, host: Host, smtp: Mailbox) -> None:
    with pytest.raises(InvitationError, match="Make one Invitation for each candidate"):
        send(library, host, smtp, wanted)
    assert smtp.received == []


@each_library
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["beta-42", "study-7"])), min_size=1, max_size=6))
def test_a_template_sent_again_and_again_is_as_it_was(
    library: Library, host: Host, smtp: Mailbox, sends: list[tuple[int, str]]
) -> None:
    template = library.invitation(host, Wanted(["nobody@example.org"], headers={"X-Kept": "yes"}))
    for number, opportunity in sends:
        person = f"candidate{number}x@example.org"
        template.opportunity = opportunity
        library.address(template, person)
        (raw,) = over_smtp(library.send)(host, smtp, [template])
        link = host.optout.link(person, opportunity)
        assert len(set(TOKEN.findall(everything(raw)))) == 2  # the landing link and the one-click link
        assert all(text.count(link) == 1 for text in bodies(raw))
        assert parsed(raw)["X-Kept"] == "yes"


@each_library
def test_each_send_has_a_message_id_of_its_own(library: Library, host: Host, smtp: Mailbox) -> None:
    template = library.invitation(host, Wanted(headers={"Message-ID": "<mine@example.org>"}))
    way = over_smtp(library.send)
    ids = [parsed(raw).get_all("Message-ID", []) for raw in way(host, smtp, [template]) + way(host, smtp, [template])]
    assert [len(each) for each in ids] == [1, 1]
    assert len({*map(str, ids), "['<mine@example.org>']"}) == 3

"""The gate, without a mail library: first the row, then the choice, then the hand-off; a failure stops no other."""

from __future__ import annotations

import email.policy
import logging
import pickle
import re
from collections.abc import Callable, Iterable, Iterator
from email.message import EmailMessage, Message
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from flask_optout import AddressError, InvitationError, NotAllSent
from flask_optout.addresses import Recipient, parse
from flask_optout.invitations import gate as module
from flask_optout.invitations.compose import Draft, Letter
from flask_optout.invitations.gate import finish, prove_recipient, serialising
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.support.email_log import rows
from tests.support.hosts import Host, say


class Mailer:
    """Hands off what the gate clears: a source is an address, or an ordinary message that begins with a blank."""

    def __init__(self) -> None:
        self.left: list[tuple[str, bool]] = []
        self.failed: list[tuple[str, str]] = []

    def send(self, *sources: str, on_error: bool = False) -> int:
        return self.send_from(sources, on_error)

    def send_from(self, sources: Iterable[str], on_error: bool = False) -> int:
        tell = self._tell if on_error else None
        return current_state().gate.hand_off(sources, self._draft, self._make, self._leave, tell)

    def _tell(self, source: Any, error: Exception) -> None:
        self.failed.append((source, type(error).__name__))

    def _draft(self, source: str) -> Draft | None:
        if source.startswith(" "):
            return None
        return Draft([source], "beta-42", "Join us", "Come.", None, "team@example.org")

    def _make(self, source: str, letter: Letter) -> str:
        if "unmakable" in source:
            raise LookupError
        return letter.address.deliverable

    def _leave(self, message: str, clear: bool) -> None:
        self.left.append((message, clear))
        if "refused" in message:
            raise ConnectionError


@pytest.fixture
def mailer(host: Host) -> Mailer:
    return Mailer()


def test_a_muted_person_is_not_clear_and_counts_as_sent(host: Host, mailer: Mailer) -> None:
    say(host, True, "bob@x.org")
    assert mailer.send("ann@x.org", "bob@x.org", "cy@x.org") == 3
    assert mailer.left == [("ann@x.org", True), ("bob@x.org", False), ("cy@x.org", True)]
    assert {row.recipient for row in rows()} == {"ann@x.org", "bob@x.org", "cy@x.org"}


def test_a_row_tells_the_minute_and_not_the_second_of_the_hosts_date(host: Host) -> None:
    host.mail.send(host.invitation(extra_headers={"date": "Tue, 24 Nov 2026 08:00:31 +0000"}))
    [date] = re.findall("^date: .*", rows()[0].headers, re.MULTILINE | re.IGNORECASE)
    assert re.fullmatch(r"Date: .* \d\d:\d\d:00 -0000", date)


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        ("team@example.org", "team@example.org"),
        (("The Team", "team@example.org"), "The Team <team@example.org>"),
        (("Example, Inc.", "team@example.org"), '"Example, Inc." <team@example.org>'),
        (('The "A" Team', "team@example.org"), r'"The \"A\" Team" <team@example.org>'),
    ],
)
def test_a_row_shows_whom_one_answers_with_quotes_where_a_name_needs_them(
    host: Host, who: Recipient, shown: str
) -> None:
    host.mail.send(host.invitation(reply_to=who))
    assert f"Reply-To: {shown}" in rows()[0].headers.split("\n")


def test_ordinary_mail_leaves_in_its_place_without_a_row(mailer: Mailer) -> None:
    assert mailer.send("ann@x.org", " password", "bob@x.org") == 3
    assert [message for message, _ in mailer.left] == ["ann@x.org", " password", "bob@x.org"]
    assert len(rows()) == 2


def test_rows_are_written_together_before_any_of_them_leaves(mailer: Mailer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 2)
    seen: list[int] = []
    monkeypatch.setattr(mailer, "_leave", lambda message, clear: seen.append(len(rows())))
    mailer.send(*(f"person{number}@x.org" for number in range(5)))
    assert seen == [2, 2, 4, 4, 5]


@pytest.mark.parametrize("muted", [False, True])
def test_the_one_that_fails_raises_its_error_whether_or_not_its_recipient_is_muted(
    host: Host, mailer: Mailer, muted: bool
) -> None:
    say(host, muted, "refused@x.org")
    with pytest.raises(ConnectionError):
        mailer.send("refused@x.org")
    assert [row.failure for row in rows()] == ["ConnectionError"]


@pytest.mark.parametrize(("source", "error"), [("b@@x.org", AddressError), ("unmakable@x.org", LookupError)])
def test_what_cannot_be_made_leaves_no_row(mailer: Mailer, source: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        mailer.send(source)
    assert rows() == [] and mailer.left == []


def test_of_many_each_failure_is_told_and_the_others_leave(mailer: Mailer) -> None:
    assert mailer.send("ann@x.org", "refused@x.org", "b@@x.org", "bob@x.org", on_error=True) == 2
    assert sorted(mailer.failed) == [("b@@x.org", "AddressError"), ("refused@x.org", "ConnectionError")]
    assert {row.recipient: row.failure for row in rows()} == {
        "ann@x.org": None,
        "refused@x.org": "ConnectionError",
        "bob@x.org": None,
    }


def test_or_they_are_counted_at_the_end_without_a_name(mailer: Mailer) -> None:
    with pytest.raises(NotAllSent, match=r"Of 3 messages, 2 could not be sent \(ConnectionError: 2\)") as failed:
        mailer.send("refused1@x.org", "ann@x.org", "refused2@x.org")
    assert "@" not in str(failed.value) and ("ann@x.org", True) in mailer.left


def test_what_on_error_raises_ends_the_run_and_no_row_stays_of_what_did_not_leave(
    mailer: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(source: object, error: Exception) -> None:
        raise InterruptedError

    monkeypatch.setattr(mailer, "_tell", stop)
    with pytest.raises(InterruptedError):
        mailer.send("ann@x.org", "refused@x.org", "bob@x.org", on_error=True)
    assert {row.recipient for row in rows()} == {"ann@x.org", "refused@x.org"}


def test_what_came_before_an_error_of_the_iterable_leaves(mailer: Mailer) -> None:
    def sources() -> Iterator[str]:
        yield "ann@x.org"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        mailer.send_from(sources())
    assert mailer.left == [("ann@x.org", True)]


@pytest.mark.parametrize("table", ["optout_email_log", "optout_choice"])
def test_without_a_row_or_a_choice_nothing_leaves_but_ordinary_mail(host: Host, mailer: Mailer, table: str) -> None:
    host.optout.link("ann@x.org", "beta-42")  # which makes the data key
    with host.db.engine.begin() as connection:
        connection.execute(sa.text(f"drop table {table}"))
    assert mailer.send("ann@x.org", " password", on_error=True) == 1
    assert mailer.failed == [("ann@x.org", "StoreUnavailable")]
    assert [message for message, _ in mailer.left] == [" password"]


def test_an_ordinary_message_with_a_candidates_link_is_told_once(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    gate, link = current_state().gate, host.optout.link("jane@x.org", "beta-42")
    with caplog.at_level(logging.WARNING):
        for text, told in ((None, 0), ("Hello", 0), (f"No? {link}", 1), (f"No? {link}", 1)):
            gate.warn_if_ungated(lambda text=text: [text])  # type: ignore[misc]
            assert len(caplog.records) == told
    [record] = caplog.records
    assert record.getMessage() == (
        "optout.ungated_link: A message with a candidate's link left without passing the gate, as it is not an "
        "Invitation. If it invites people, send it as an Invitation of flask_optout.mailers."
    )


def test_the_link_of_the_ask_page_may_be_sent_in_an_ordinary_message(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    url = current_state().links.url(Door.ASK, parse("jane@x.org"), "beta-42")
    current_state().gate.warn_if_ungated(lambda: [f"Your link: {url}"])
    assert caplog.records == []


@pytest.mark.parametrize("spelled", [str, str.upper, partial(quote, safe="")], ids=["", "in capitals", "in a URL"])
def test_a_row_holds_no_link_about_all_invitations(host: Host, spelled: Callable[[str], str]) -> None:
    link = host.optout.link("jane@example.org", "*")
    stop = f"Stop all: {spelled(link)}"
    for fields in ({"body": stop}, {"html": f"<p>{stop}"}, {"extra_headers": {"X-Stop": stop}}):
        host.mail.send(host.invitation(**fields))
    invitation = host.invitation()
    invitation.subject = stop
    host.mail.send(invitation)
    kept = repr(rows())
    assert kept.count("Stop all: ") == 5 and link.rpartition("/")[2] not in kept.lower()


def test_an_ordinary_message_that_cannot_be_read_stops_nothing(host: Host) -> None:
    current_state().gate.warn_if_ungated(lambda: [1 / 0])


def test_an_invitation_to_two_is_refused(mailer: Mailer, monkeypatch: pytest.MonkeyPatch) -> None:
    two = Draft(["ann@x.org", "bob@x.org"], "beta-42", "Join us", "Come.", None, "team@example.org")
    monkeypatch.setattr(mailer, "_draft", lambda source: two)
    with pytest.raises(InvitationError):
        mailer.send("ann@x.org")


def test_a_recipient_is_proved_by_the_first_spelling_that_leads_to_the_checked_address() -> None:
    address = parse("jane@example.org")
    spellings = ["other@example.org", "JANE@example.org", "jane@example.org", "later"]
    assert prove_recipient(spellings, str, address) == "jane@example.org"
    with pytest.raises(AddressError, match="another address"):
        prove_recipient(["other@example.org"], str, address)


def test_a_spelling_that_the_library_cannot_write_proves_nothing() -> None:
    def spell(spelling: str) -> str:
        if spelling == "unreadable":
            raise AttributeError  # as the standard library's parser does for a name that begins with a dot
        return spelling.encode("ascii").decode()

    assert prove_recipient(["unreadable", "jane@example.org"], spell, parse("jane@example.org")) == "jane@example.org"
    assert (
        prove_recipient(["jané@example.org", "jane@example.org"], spell, parse("jane@example.org"))
        == "jane@example.org"
    )


@pytest.mark.parametrize("policy", [email.policy.default, email.policy.compat32, email.policy.SMTP])
def test_our_headers_stand_on_one_line_and_the_others_as_the_library_folds_them(policy: Any) -> None:
    message = EmailMessage(policy) if isinstance(policy, email.policy.EmailPolicy) else Message(policy)
    link, words = f"<https://x.example/{'a' * 200}>", "many words " * 20
    message["List-Unsubscribe"], message["X-Note"] = link, words
    message.set_payload("Come.")
    finish(message)
    written = message.as_bytes().decode().replace("\r\n", "\n")
    assert f"List-Unsubscribe: {link}\n" in written and f"X-Note: {words}\n" not in written


@pytest.mark.parametrize("policy", [email.policy.default, email.policy.compat32, email.policy.SMTP])
def test_a_finished_message_can_be_kept_in_a_queue(policy: Any) -> None:
    message = Message(policy)
    message["List-Unsubscribe"] = f"<https://x.example/{'a' * 200}>"
    finish(message)
    assert pickle.loads(pickle.dumps(message)).as_bytes() == message.as_bytes()


@pytest.mark.parametrize(("length", "encoding"), [(998, "7bit"), (999, "quoted-printable")])
def test_a_part_with_a_line_that_is_too_long_is_quoted_printable(length: int, encoding: str) -> None:
    message = EmailMessage()
    message.set_payload("a" * length + "\nshort\n")
    message["Content-Transfer-Encoding"] = "7bit"
    finish(message)
    assert message["Content-Transfer-Encoding"] == encoding
    assert message.get_payload(decode=True) == b"a" * length + b"\nshort\n"
    assert max(map(len, message.as_bytes().splitlines())) <= 998


def test_a_character_that_cannot_be_written_is_named_without_an_address() -> None:
    said = "character that cannot stand there: in a header, its body or an attachment"
    with pytest.raises(InvitationError, match=said) as refused, serialising():
        "jané@example.org".encode("ascii")
    assert "jan" not in str(refused.value)


@pytest.mark.parametrize("error", [KeyError("DKIM_KEY"), IndexError()], ids=repr)
def test_a_look_up_that_fails_in_the_hosts_own_code_is_told_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, serialising():
        raise error
    assert raised.value is error

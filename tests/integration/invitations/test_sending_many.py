"""Many invitations over one connection: each is checked as it leaves."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_optout import NotAllSent
from flask_optout.invitations import gate
from tests.conftest import MakeHost
from tests.support.adapters import each_library, each_way_to_send_many
from tests.support.email_log import rows
from tests.support.hosts import KEY, HangsUp, Host, Mailbox, dispose, say, smtp_server
from tests.support.library import Library, Wanted, password

PEOPLE = [f"person{number}@example.org" for number in range(60)]
MANUAL = (Path(__file__).parents[3] / "docs" / "sending.md").read_text()


@dataclass
class Watched(Mailbox):
    """A mail server that says which connection a mail came by, and does something when one comes."""

    on_mail: Callable[[str], None] = lambda to: None
    connections: set[int] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refused:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.connections.add(session.peer[1])
        self.on_mail(envelope.rcpt_tos[0])
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
def smtp() -> Iterator[Watched]:
    with smtp_server(Watched) as watched:
        yield watched


@each_way_to_send_many
def test_a_choice_made_during_the_run_is_obeyed_from_the_next_message_on(
    library: Library, way: str, host: Host, smtp: Watched
) -> None:
    say(host, True, PEOPLE[7])
    say(host, True, PEOPLE[30])

    def choose(to: str) -> None:
        """As one mail arrives, the next recipient opts out; as a later one does, the next comes back."""
        number = PEOPLE.index(to)
        with host.app.app_context():
            if number == 20:
                say(host, True, PEOPLE[21])
            if number == 29:
                say(host, False, PEOPLE[30])

    smtp.on_mail = choose
    library.many[way](host, (library.invitation(host, Wanted([person])) for person in PEOPLE))
    assert [mail.rcpt_to[0] for mail in smtp.received] == [p for p in PEOPLE if p not in (PEOPLE[7], PEOPLE[21])]
    assert len(smtp.connections) == 1


@each_library
def test_one_that_is_refused_stops_nobody_else_and_is_told_at_the_end(
    library: Library, host: Host, smtp: Watched
) -> None:
    say(host, True, PEOPLE[2])
    smtp.refused = {PEOPLE[1]}
    people = [PEOPLE[0], "bob@example", *PEOPLE[1:4]]
    with pytest.raises(NotAllSent) as told:
        library.send_invitations(host, [library.invitation(host, Wanted([person])) for person in people])
    assert [mail.rcpt_to for mail in smtp.received] == [[PEOPLE[0]], [PEOPLE[3]]]
    reasons = "AddressError: 1, SMTPRecipientsRefused 550 5.1.1: 1"
    assert told.value.what == f"Of 5 messages, 2 could not be sent ({reasons})."
    assert "@" not in str(told.value)
    assert {row.recipient: row.failure for row in rows()} == {
        PEOPLE[0]: None,
        PEOPLE[1]: "SMTPRecipientsRefused 550 5.1.1",
        PEOPLE[2]: None,
        PEOPLE[3]: None,
    }


@each_library
def test_on_error_is_told_each_one_that_failed(library: Library, host: Host, smtp: Watched) -> None:
    smtp.refused = {PEOPLE[1], PEOPLE[2]}
    say(host, True, PEOPLE[2])
    invitations = [library.invitation(host, Wanted([person])) for person in PEOPLE[:4]]
    told: list[tuple[Any, Exception]] = []
    library.send_invitations(host, invitations, on_error=lambda invitation, error: told.append((invitation, error)))
    assert [invitation for invitation, _ in told] == invitations[1:3], "muted or not"
    assert {type(error) for _, error in told} == {smtplib.SMTPRecipientsRefused}


@each_library
def test_a_server_that_hangs_up_is_told_as_any_other_failure(library: Library, make: MakeHost) -> None:
    with smtp_server(HangsUp) as server:
        host = make(MAIL_SERVER=server.host, MAIL_PORT=server.port)
        with host.app.app_context():
            told: list[Any] = []
            people = [Wanted([person]) for person in PEOPLE[:3]]
            for on_error in (None, lambda invitation, error: told.append(error)):
                server.has_hung_up = False
                with pytest.raises(NotAllSent, match="Of 3 messages, 3") if on_error is None else nullcontext():
                    library.send_invitations(host, [library.invitation(host, one) for one in people], on_error)
    assert [type(error) for error in told] == [smtplib.SMTPServerDisconnected] * 3


@each_library
def test_what_on_error_raises_ends_the_run(library: Library, host: Host, smtp: Watched) -> None:
    smtp.refused = {PEOPLE[1]}

    def stop(invitation: Any, error: Exception) -> None:
        raise error

    with pytest.raises(smtplib.SMTPRecipientsRefused):
        library.send_invitations(
            host, [library.invitation(host, Wanted([person])) for person in PEOPLE[:4]], on_error=stop
        )
    assert [mail.rcpt_to for mail in smtp.received] == [[PEOPLE[0]]]
    assert {row.recipient for row in rows()} == set(PEOPLE[:2]), "the rows of those not begun are removed"


def test_a_pool_of_one_connection_is_enough_also_for_what_fails(make: MakeHost, smtp: Watched) -> None:
    host = make(
        MAIL_SERVER=smtp.host,
        MAIL_PORT=smtp.port,
        SQLALCHEMY_ENGINE_OPTIONS={"pool_size": 1, "max_overflow": 0, "pool_timeout": 0.2},
    )
    smtp.refused = {PEOPLE[1], PEOPLE[3]}
    looked: list[Any] = []

    def look(invitation: Any, error: Exception) -> None:
        looked.append(host.db.session.scalar(sa.text("SELECT 1")))
        host.db.session.close()

    with host.app.app_context():
        say(host, True, PEOPLE[2])
        host.mail.send_invitations(map(host.invitation, PEOPLE[:5]), on_error=look)
        assert looked == [1, 1]
        assert {row.recipient for row in rows() if row.failure} == smtp.refused
    assert [mail.rcpt_to for mail in smtp.received] == [[PEOPLE[0]], [PEOPLE[4]]]


@each_library
@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_ordinary_mail_leaves_when_the_store_is_down(
    library: Library, order: slice, host: Host, smtp: Watched
) -> None:
    messages = [library.invitation(host, Wanted([PEOPLE[0]])), library.ordinary(host, password(PEOPLE[1]))][order]
    with host.db.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE optout_email_log")
    with pytest.raises(NotAllSent, match="StoreUnavailable: 1"):
        library.send_invitations(host, messages)
    assert [mail.rcpt_to for mail in smtp.received] == [[PEOPLE[1]]]


@each_library
def test_few_invitations_are_made_before_they_leave(
    library: Library, host: Host, smtp: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "TOGETHER", 2)
    left: list[int] = []

    def invitations() -> Iterator[Any]:
        for person in PEOPLE[:5]:
            left.append(len(smtp.received))
            yield library.invitation(host, Wanted([person]))

    library.send_invitations(host, invitations())
    assert left == [0, 0, 2, 2, 4]
    assert len(smtp.received) == 5


@each_library
def test_the_order_of_invitations_and_other_mail_is_kept(library: Library, host: Host, smtp: Watched) -> None:
    ann, bob, cy, dan = PEOPLE[:4]
    say(host, True, bob)
    messages = [library.invitation(host, Wanted([to])) for to in (ann, bob, cy)]
    messages[2:2] = [library.ordinary(host, password(bob))]
    messages.append(library.ordinary(host, password(dan)))
    library.send_invitations(host, messages)
    assert [mail.rcpt_to[0] for mail in smtp.received] == [ann, bob, cy, dan]


@each_library
def test_no_invitation_leaves_unrecorded(library: Library, host: Host, smtp: Watched) -> None:
    with host.db.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE optout_email_log")
    with pytest.raises(NotAllSent, match=r"60 could not be sent \(StoreUnavailable: 60\)"):
        library.send_invitations(host, (library.invitation(host, Wanted([person])) for person in PEOPLE))
    assert smtp.received == []


def test_the_manual_does_what_it_says(
    tmp_path: Path, smtp: Watched, make: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, *snippets = re.findall(r"^```python\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"^```(\w+)$", MANUAL, re.MULTILINE)) == {"python", "text"}  # headers: test_docs_sending.py
    for name, value in (("SECRET_KEY", KEY), ("MAIL_SERVER", smtp.host), ("MAIL_PORT", smtp.port)):
        monkeypatch.setenv(f"FLASK_{name}", str(value))
    monkeypatch.setenv("FLASK_SQLALCHEMY_DATABASE_URI", f"sqlite:///{tmp_path / 'app.db'}")
    scope: dict[str, Any] = {"__name__": "app"}
    exec(setup, scope)
    app: Flask = scope["app"]
    with app.app_context():
        scope["db"].create_all()
    for snippet in snippets:
        exec(snippet, scope)
    names = ["jane", "ann", "kim", "noa"]
    assert [mail.rcpt_to[0].partition("@")[0] for mail in smtp.received] == names

    addresses = tmp_path / "addresses.txt"
    addresses.write_text("\n".join(f"{name}@example.com" for name in ("ann", "bob", "cy")))
    with app.app_context():
        host = Host(app, scope["db"], scope["optout"], scope["mail"])
        say(host, True, "bob@example.com", "camera")
    smtp.received.clear()
    result = app.test_cli_runner().invoke(args=["invite-all", str(addresses)])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Inviting")
    dispose(host)
    assert [mail.rcpt_to for mail in smtp.received] == [["ann@example.com"], ["cy@example.com"]]


def test_what_came_before_an_error_of_the_hosts_own_iterable_leaves(host: Host, smtp: Watched) -> None:
    def invitations() -> Iterator[Any]:
        for person in PEOPLE[:3]:
            yield host.invitation(person)
        raise LookupError("the host's own")

    with pytest.raises(LookupError, match="the host's own"):
        host.mail.send_invitations(invitations())
    assert [mail.rcpt_to for mail in smtp.received] == [[person] for person in PEOPLE[:3]]
    assert len(rows()) == 3

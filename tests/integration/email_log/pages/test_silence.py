"""No page, answer, row or log line tells what anybody chose."""

from __future__ import annotations

import datetime
import random
import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import request
from flask.testing import FlaskClient

from flask_optout.email_log.records import PER_MINUTE, id_at
from flask_optout.links.tokens import ALPHABET, Door
from flask_optout.wiring import current_state
from tests.support.email_log import LOG, headers_of, operator_of, post, read_until, sent, statements, uniform
from tests.support.hosts import Host, Mailbox, dispose, make_host, say


def test_every_page_and_answer_is_the_same_for_a_muted_candidate(
    host: Host, client: FlaskClient, smtp: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Bytes, status, headers, statements and log lines, modulo ids, addresses and times."""
    say(host, True, to="jane@example.org")
    paths = {to: sent(host, f"{to}@example.org") for to in ("jane", "joan")}
    walks: dict[str, list[Any]] = {}
    for to, path in paths.items():
        smtp.received.clear()
        with statements(host) as seen:
            answers = [
                *(
                    client.get(f"{LOG}?{query}", headers=headers)
                    for query in (f"q={to}@example.org", f"q={to}")
                    for headers in ({}, {"HX-Request": "1"})
                ),
                *(client.get(f"{path}?part={part}") for part in ("text", "html", "headers")),
                client.get(f"{path}/html"),
                client.get(f"{path}.eml"),
                post(client, f"{path}/send-again"),
                post(client, f"{path}/send-again", q="x"),
                client.get(f"{path}?done=1"),
                client.get(path, headers={"HX-Request": "1"}),
            ]
        walks[to] = [
            *((answer.status, uniform(answer.text), headers_of(answer)) for answer in answers),
            seen,
            len(smtp.received),
        ]
    for muted, unmuted in zip(walks["jane"], walks["joan"], strict=True):
        assert muted == unmuted
    assert caplog.records == []


LISTS = [
    "",
    "q=jane",
    "q=ja",
    "q=nobody",
    "q=@example.org",
    "q=@exam",
    "q=join",
    "q=pixel+join",
    "opportunity=beta-42",
    "opportunity=beta-42&when=today",
    "when=week",
    "failed=1",
]


def observed(host: Host, clock: list[datetime.datetime], muted: bool) -> list[Any]:
    """All that an operator can see of a few sends, while they arrive and afterwards, and of sending one again."""
    if muted:
        say(host, True, to="jane@example.org")
    client = operator_of(host)
    polls = [f"{LOG}?{query}&after={id_at(clock[0])}" for query in LISTS]
    seen: list[Any] = []

    def look(paths: list[str]) -> None:
        answers = [client.get(path, headers={"HX-Request": "1"}) for path in paths]
        seen.extend((answer.status_code, uniform(answer.text)) for answer in answers)

    for people in (["jane"], ["joan", "jane", "bob"], ["jane"]):
        host.mail.send_invitations([host.invitation(f"{who}@example.org") for who in people])
        look(polls)
        clock[0] += datetime.timedelta(minutes=1)
        look(polls)
    look([f"{LOG}?{query}" for query in LISTS])
    path = re.findall(rf"{LOG}\d+", client.get(f"{LOG}?q=jane").text)[0]
    seen.append(uniform(post(client, f"{path}/send-again").text))
    look([path, f"{path}?done=1", f"{path}?part=headers", LOG])
    return seen


def test_a_mute_changes_nothing_in_lists_totals_order_search_and_arrival(
    smtp: Mailbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same sends in two worlds, one with a mute, by the same clock and dice."""
    worlds = []
    for muted in (False, True):
        clock, dice = [datetime.datetime(2031, 12, 24, 18, 30, tzinfo=datetime.UTC)], random.Random(7)
        read_until(monkeypatch, lambda clock=clock: id_at(clock[0]))  # type: ignore[misc]
        new_id = lambda clock=clock, dice=dice: id_at(clock[0]) + dice.randrange(PER_MINUTE)  # noqa: E731
        for module in ("records", "resending"):
            monkeypatch.setattr(f"flask_optout.email_log.{module}.now", lambda clock=clock: clock[0])
            monkeypatch.setattr(f"flask_optout.email_log.{module}.make_id", new_id)
        folder = tmp_path / str(muted)
        folder.mkdir()
        host = make_host(
            folder,
            operator=lambda: request.headers.get("X-Operator"),
            MAIL_SERVER=smtp.host,
            MAIL_PORT=smtp.port,
        )
        smtp.received.clear()
        with host.app.app_context():
            worlds.append(observed(host, clock, muted))
        dispose(host)
        assert len(smtp.received) == (3 if muted else 6)  # of those, one was sent again
    assert worlds[0] == worlds[1]
    assert sum("jane@example.org" in str(each) for each in worlds[0]) > len(LISTS)


def test_the_database_holds_nothing_that_joins_the_log_to_the_choices(host: Host, client: FlaskClient) -> None:
    path = sent(host)
    say(host, True, to="jane@example.org")
    post(client, f"{path}/send-again")
    state = current_state()
    with host.db.engine.connect() as connection:
        dump = {
            table.name: [tuple(row) for row in connection.execute(sa.select(table))]
            for table in host.db.metadata.sorted_tables
        }
    secrets = {value for row in dump["optout_choice"] for value in row if isinstance(value, bytes)}
    assert len(secrets) == 4  # scopes and digests of the choice and of the data key's row
    for name, table in dump.items():
        for value in (value for row in table for value in row):
            assert not ("jane" in str(value) and name == "optout_choice")
            if name.startswith(("optout_email", "optout_resend", "optout_saved")):
                assert not isinstance(value, bytes)
                assert not any(secret.hex() in str(value).lower() for secret in secrets)
                assert ALPHABET.search(str(value).lower()) is None
    url = re.search(r'/ask/([a-z2-7]+)"', client.get(path).text)
    assert url is not None
    payload = state.read_claim(Door.ASK, url[1]).payload
    assert not any(secret in payload for secret in secrets)

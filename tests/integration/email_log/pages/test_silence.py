"""No page, answer, row or log line tells what anybody chose."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from flask_optout.links.tokens import ALPHABET, Door
from flask_optout.wiring import current_state
from tests.support.email_log import LOG, headers_of, post, sent, statements, uniform
from tests.support.hosts import Host, Mailbox, say


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
                    client.get(f"{LOG}?recipient={to}@example.org", headers=headers)
                    for headers in ({}, {"HX-Request": "1"})
                ),
                *(client.get(f"{path}?part={part}") for part in ("text", "html", "headers")),
                client.get(f"{path}/html"),
                client.get(f"{path}.eml"),
                client.get(f"{path}/send-again"),
                post(client, f"{path}/send-again"),
                client.get(f"{path}/send-again"),
                client.get(path),
            ]
        walks[to] = [
            *((answer.status, uniform(answer.text), headers_of(answer)) for answer in answers),
            seen,
            len(smtp.received),
        ]
    for muted, unmuted in zip(walks["jane"], walks["joan"], strict=True):
        assert muted == unmuted
    assert caplog.records == []


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
    payload = state.claim(Door.ASK, url[1]).payload
    assert not any(secret in payload for secret in secrets)

"""No operator sees a row of the minute that is running: how soon the next one follows would tell who is muted."""

from __future__ import annotations

import datetime
import re
import threading
from collections.abc import Callable
from functools import partial

import pytest
from flask import request

from flask_optout.email_log.records import now
from flask_optout.email_log.search import Criteria, Word
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.email_log import LOG, operator_of, rows
from tests.support.hosts import Host, say
from tests.support.people import run

LISTS = [
    "",
    "q=later.1@example.org",
    "q=later",
    "q=@example.org",
    "q=@exam",
    "q=fresh",
    "opportunity=fresh-1",
    "when=today",
    "failed=1",
    "before=9223372036854775807",
    "after=0",
    "after=0&q=later",
]


@pytest.fixture
def host(make: MakeHost) -> Host:
    return make(operator=lambda: request.headers.get("X-Operator"), MAIL_SUPPRESS_SEND=True)


def looks(host: Host) -> dict[str, Callable[[], bool]]:
    """Every read of an operator; each says whether it shows a row."""
    client, search = operator_of(host), current_state().search
    wanted = Criteria(), Criteria(words=(Word("later"),)), Criteria(opportunity="fresh-1")

    def listed(query: str, headers: dict[str, str]) -> bool:
        text = client.get(f"{LOG}?{query}", headers=headers).text
        return bool(re.search("data-row|optout-near", text) or ("fresh-1" in text and "fresh" not in query))

    read: dict[str, Callable[[], bool]] = {
        f"{query} {headers}": partial(listed, query, headers)
        for query in LISTS
        for headers in ({}, {"HX-Request": "1"})
    }
    return read | {
        "entry": lambda: client.get(f"{LOG}{rows()[0].id}").status_code == 200,
        "html": lambda: client.get(f"{LOG}{rows()[0].id}/html").status_code == 200,
        "eml": lambda: client.get(f"{LOG}{rows()[0].id}.eml").status_code == 200,
        "totals": lambda: any(map(search.count, wanted)),
        "suggestions": lambda: any(
            search.find_starting(name, "", 9) for name in ("mailbox", "domain", "opportunity")
        ),
        "export": lambda: "subject" in run(host, "export", "later.1@example.org")[1],
        "erase": lambda: "1 invitation" in run(host, "erase", "--dry-run", "later.1@example.org")[1],
        "notify-domain": lambda: "would be" in run(host, "notify-domain", "--dry-run", "example.org")[1],
    }


def test_no_read_shows_a_row_of_the_running_minute(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [now()]
    monkeypatch.setattr("flask_optout.email_log.records.now", lambda: clock[0])
    done = threading.Event()

    def send() -> None:
        with host.app.app_context():
            for number in range(2, 200):
                host.mail.send(host.invitation(f"later.{number}@example.org", opportunity="fresh-1"))
                if done.wait(0.01):
                    return

    with host.app.app_context():
        say(host, True, to="later.2@example.org", opportunity="fresh-1")
        host.mail.send(host.invitation("later.1@example.org", opportunity="fresh-1"))
        read = looks(host)
        sending = threading.Thread(target=send)
        sending.start()
        try:
            for name, look in read.items():
                assert not look(), name
        finally:
            done.set()
            sending.join()
        assert len(rows()) > 3
        clock[0] += datetime.timedelta(minutes=1)
        assert [name for name, look in read.items() if not look()] == ["failed=1 {'HX-Request': '1'}"]


def test_erasing_removes_those_rows_too_and_does_not_count_them(host: Host) -> None:
    with host.app.app_context():
        host.mail.send(host.invitation("jane@example.org"))
        assert run(host, "erase", "jane@example.org") == (0, "The Email Log holds nothing of this person.\n")
        assert rows() == []

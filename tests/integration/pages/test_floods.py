"""Whoever holds a link cannot fill the store, the journal, a mailbox or the memory by it; the host need not help."""

from __future__ import annotations

import io
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.presses.history import MOST_PRESSES
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import Host, Mailbox, settle

SIGNAL = {"List-Unsubscribe": "One-Click"}
POSTS = 2_000


def door(door: Door) -> str:
    return urlsplit(current_state().links.url(door, parse("jane@example.org"), "beta-42")).path


def stored(host: Host) -> dict[str, int]:
    """How many rows each table holds."""
    with host.db.engine.connect() as connection:
        return {
            table.name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in host.db.metadata.sorted_tables
        }


@pytest.mark.long
def test_a_flood_of_signals_stores_what_one_does(make: MakeHost, tmp_path: Path) -> None:
    host = make(SQLALCHEMY_DATABASE_URI="sqlite://", OPTOUT_JOURNAL=tmp_path / "journal")
    with host.app.app_context():
        assert host.app.test_cli_runner().invoke(args=["optout", "replay", "--new"]).exit_code == 0
        client, path = host.app.test_client(), door(Door.ONE_CLICK)
        sizes = list[tuple[dict[str, int], int]]()
        for _ in range(POSTS):
            assert client.post(path, data=SIGNAL).status_code == 200
            if not sizes:
                sizes.append((stored(host), (tmp_path / "journal").stat().st_size))
        assert [(stored(host), (tmp_path / "journal").stat().st_size)] == sizes
        assert not host.optout.may_invite("jane@example.org", "beta-42")


@pytest.mark.long
def test_a_flood_of_presses_keeps_the_last_few(make: MakeHost) -> None:
    host = make(SQLALCHEMY_DATABASE_URI="sqlite://")
    with host.app.app_context():
        client, path = host.app.test_client(), host.path()
        for number in range(POSTS // 4):
            form = host.form(("mute", "undo", "keep", "mute-all", "x")[number % 5], visit=f"{number:012}")
            answer = client.post(path, data=form, headers={"User-Agent": f"Browser {number}"})
            assert answer.status_code in (200, 303)
        rows = stored(host)
        assert rows["optout_recent_press"] == 1 and rows["optout_choice"] <= 3 and rows["optout_alarm"] <= 1
        with host.db.engine.connect() as connection:
            kept = connection.scalar(sa.text("select presses from optout_recent_press"))
        assert len(str(kept)) < 100 * MOST_PRESSES


@pytest.mark.parametrize("which", ["the copied URL", "lost links"])
def test_a_flood_of_questions_mails_three_times_a_day(make: MakeHost, smtp: Mailbox, which: str) -> None:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, OPTOUT_FIND_LINK=True)
    with host.app.app_context():
        host.mail.send(host.invitation())
        smtp.received.clear()
        path = door(Door.ASK) if which == "the copied URL" else "/optout/"
        for _ in range(60):
            assert host.app.test_client().post(path, data={"address": "jane@example.org"}).status_code == 200
            settle()
        assert len(smtp.received) == 3
        assert stored(host)["optout_asked"] <= 6


class Endless(io.RawIOBase):
    """A body that says how much of it was read."""

    taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self.taken += len(buffer)
        buffer[:] = b"a" * len(buffer)
        return len(buffer)


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=B", "text/plain"]
)
@pytest.mark.parametrize("where", list(Door), ids=lambda where: where.name)
def test_a_large_body_is_not_read(make: MakeHost, where: Door, kind: str) -> None:
    host, body = make(), Endless()
    with host.app.app_context():
        path = door(where)
    sent = {"wsgi.input": body, "CONTENT_LENGTH": "1000000000", "CONTENT_TYPE": kind}
    answer = host.app.test_client().post(path, environ_overrides=sent)
    assert answer.status_code in (200, 400, 413) and body.taken < 100_000

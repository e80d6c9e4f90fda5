"""Counts point at nobody, and settings of the Email Log that cannot work are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from flask_optout import ConfigurationError
from flask_optout.email_log.pages.counts import coarse
from tests.conftest import MakeHost
from tests.support.email_log import LOG, sent
from tests.support.hosts import Host
from tests.test_choices import say


@pytest.mark.parametrize(
    ("invited", "muted", "shown"),
    [
        (19, 5, None),
        (20, 4, None),
        (20, 5, 5),
        (20, 9, 5),
        (20, 10, 10),
        (18, 10, None),
        (20, 11, 10),
        (20, 15, None),
        (20, 20, None),
        (23, 17, None),
        (24, 17, 15),
        (1000, 999, None),
        (1000, 504, 500),
        (0, 50, None),
    ],
)
def test_a_count_shows_only_where_crowds_hide_both_sides(invited: int, muted: int, shown: int | None) -> None:
    assert coarse(invited, muted, 20, 5) == shown


def test_no_two_readings_tell_one_person(make: MakeHost, client: FlaskClient) -> None:
    """Whatever an operator adds one by one, what is shown depends on the rounded count alone."""
    for invited in range(60):
        for muted in range(0, 55, 5):
            assert len({coarse(invited, muted + one, 20, 5) for one in range(5)}) == 1


def test_counts_move_once_a_week(host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(30):
        sent(host, f"p{i}@example.org")
        if i < 12:
            say(host, True, to=f"p{i}@example.org")

    def row() -> tuple[str, str]:
        found = re.search(
            r">beta-42</a></td><td[^>]*>(\d+)</td>\s*<td[^>]*>([^<]+)</td>", client.get(f"{LOG}counts").text
        )
        assert found is not None
        return found[1], found[2]

    assert row() == ("30", "not shown")
    with host.db.engine.begin() as connection:
        connection.execute(sa.text("update optout_choice set day = '2020-01-01'"))
    assert row() == ("30", "10 or more")
    for i in range(12):
        say(host, False, to=f"p{i}@example.org")
    assert row() == ("30", "10 or more")
    with host.db.engine.begin() as connection:
        connection.execute(sa.text("update optout_choice set day = '2020-01-01'"))
    assert row() == ("30", "not shown")


def test_counts_are_paged(host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_optout.email_log.pages.counts.PAGE", 2)
    for opportunity in ("a", "b", "c & d"):
        sent(host, opportunity=opportunity)
    first = client.get(f"{LOG}counts").text
    assert "opportunity=b" in first and "c+" not in first
    assert "c &amp; d" in client.get(f"{LOG}counts?after=b").text


def test_counts_are_off_by_setting(make: MakeHost) -> None:
    client = make(operator=lambda: True, OPTOUT_COUNT_FLOOR=None).app.test_client()
    # A setting of None is left out by the host of the tests.
    client.application.config["OPTOUT_COUNT_FLOOR"] = None
    assert client.get(f"{LOG}counts").status_code == 404
    assert ">Counts<" not in client.get(LOG).text


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("OPTOUT_LOG_DAYS", 0),
        ("OPTOUT_LOG_DAYS", "90"),
        ("OPTOUT_LOG_DAYS", True),
        ("OPTOUT_LOG_DAYS", 10**9),
        ("OPTOUT_COUNT_FLOOR", 20),
        ("OPTOUT_COUNT_FLOOR", (20,)),
        ("OPTOUT_COUNT_FLOOR", (0, 5)),
        ("OPTOUT_COUNT_FLOOR", "20"),
        ("OPTOUT_TIMEZONE", "Mars/Olympus"),
        ("OPTOUT_TIMEZONE", "../../etc/passwd"),
        ("OPTOUT_TIMEZONE", 5),
        ("OPTOUT_TIMEZONE", ""),
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_start_up(make: MakeHost, setting: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=setting):
        make(**{setting: value})

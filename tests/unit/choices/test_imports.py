"""Imports add mutes that can be told from those of candidates; their order says nothing."""

from __future__ import annotations

import sqlalchemy as sa

from flask_optout.addresses import parse
from flask_optout.wiring import current_state
from tests.support.hosts import Host, say


def rows(host: Host) -> list[tuple[bool, str, int | None]]:
    query = sa.text("SELECT muted, source, batch FROM optout_choice WHERE source <> 'key' ORDER BY source")
    with host.db.engine.connect() as connection:
        return [(bool(muted), source, batch) for muted, source, batch in connection.execute(query)]


def test_an_import_adds_mutes_and_leaves_one_that_stands_as_it_is(host: Host) -> None:
    say(host, True)
    say(host, False, "bob@x.org")
    people = [(parse(who), "beta-42") for who in ("jane@x.org", "bob@x.org", "ann@x.org", "ann@x.org")]
    current_state().imports.add(7, people)
    assert rows(host) == [(True, "import", 7), (True, "import", 7), (True, "page", None)]
    current_state().imports.add(8, [])


def test_what_host_code_mutes_is_no_imports_any_more(host: Host) -> None:
    say(host, True)
    current_state().imports.add(7, [(parse("bob@x.org"), "beta-42")])
    current_state().choices.add_mutes([(parse(who), "beta-42") for who in ("jane@x.org", "bob@x.org")], "phone")
    assert rows(host) == [(True, "page", None), (True, "phone", None)]


def test_the_order_of_rows_says_nothing_about_the_order_of_an_import(host: Host) -> None:
    """V4: they are written by pseudonym."""
    people = [(parse(f"person{number}@x.org"), "beta-42") for number in range(50)]
    written: list[bytes] = []

    def note(
        connection: object, cursor: object, statement: str, parameters: list[tuple[bytes, bytes]], *more: object
    ) -> None:
        if statement.startswith("INSERT INTO optout_choice"):
            written.extend(bytes(each[1]) for each in parameters if isinstance(each, tuple))

    sa.event.listen(host.db.engine, "before_cursor_execute", note)
    current_state().imports.add(7, people)
    assert len(written) == 50 and written == sorted(written)

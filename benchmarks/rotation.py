"""The landing page before, during and after a rotation, with many mutes stored: a rotation touches none of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from flask.testing import FlaskClient

from flask_optout.wiring import current_state
from tests.support.hosts import KEY, OLD, Host, dispose, make_host

from .filling import fill
from .harness import Row, Work, interleave, repeated
from .hosting import SQLITE, empty_database, on_databases
from .served import OPPORTUNITY

MUTES, ROUNDS = 200_000, 7
#: The keys of an app in the three phases.
PHASES = {"before": [OLD], "during": [KEY, OLD], "after": [KEY]}


def measure(kind: str, number: int) -> Iterator[Row]:
    with empty_database(kind) as (folder, url), ExitStack() as stack:
        uri = url.render_as_string(hide_password=False)

        def client(keys: list[str]) -> tuple[Host, FlaskClient]:
            host = make_host(folder, SQLALCHEMY_DATABASE_URI=uri, OPTOUT_KEYS=keys)
            stack.callback(dispose, host)
            return host, host.app.test_client()

        old, first = client(PHASES["before"])
        with old.app.app_context():
            state, path = current_state(), old.path()
            people = [f"person{n}@example.org" for n in range(MUTES)]
            fill(old.db.engine, state.tables.choices, state.key, OPPORTUNITY, people, MUTES)
        both, second = client(PHASES["during"])
        with both.app.app_context():
            current_state().key_slots.rotate()
        _, third = client(PHASES["after"])
        clients = dict(zip(PHASES, (first, second, third), strict=True))
        times = interleave({phase: _looks(each, path, number) for phase, each in clients.items()}, ROUNDS)
    ratio = max(times.ratio(phase, "before") for phase in ("during", "after"))
    taken = ", ".join(f"{times.seconds(phase) / number * 1e3:.2f} ms {phase}" for phase in PHASES)
    note = f"The page takes {taken} it."
    path = f"{kind}: GET landing during and after a rotation, {MUTES:,} mutes"
    yield Row(path, "the same before it", ratio, most=1.2, note=note)


def _looks(client: FlaskClient, path: str, number: int) -> Work:
    def look(_: int) -> None:
        assert client.get(path).status_code == 200

    return repeated(look, number)


def rows(full: bool) -> Iterator[Row]:
    number = 200 if full else 50
    yield from on_databases("rotating keys", (SQLITE, "PostgreSQL"), lambda kind: measure(kind, number))

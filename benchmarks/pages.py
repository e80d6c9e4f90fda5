"""Requests for our pages beside bare routes, each under gunicorn with two workers: ratios of requests per second."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.support.hosts import Host, free_port

from .harness import Row, interleave
from .hosting import KINDS, SQLITE, WAL, hosted, on_databases, started
from .served import OPPORTUNITY, PLAIN

WORKERS, CLIENTS, ROUNDS = 2, 16, 5
ROOT = Path(__file__).parents[1]
SECRET = "a key of the benchmarks, 32 bytes."
READER = "reader@example.org"
#: A text browser: a press by a client without a name counts as a scanner's.
HEADERS = ("Host: localhost", "Connection: close", "User-Agent: Lynx/2.9.0")
ONE_SELECT = "a compiled template of as many bytes and one SELECT"
ONE_UPSERT = "a bare route with one upsert and its commit"
#: What each request is called, its bare route, what that does, and what was asked of it on each database.
REQUESTS: dict[str, tuple[str, str, str, dict[str, float]]] = {
    "look": ("GET landing", "bare look", ONE_SELECT, {SQLITE: 0.7, "PostgreSQL": 0.8}),
    "press": ("POST mute", "bare press", ONE_UPSERT, {SQLITE: 0.8, WAL: 0.65, "PostgreSQL": 0.65, "MariaDB": 0.55}),
    "one-click": (
        "POST one-click",
        "bare press",
        ONE_UPSERT,
        {SQLITE: 0.9, WAL: 0.9, "PostgreSQL": 0.9, "MariaDB": 0.75},
    ),
}


@contextmanager
def gunicorn(app: str, uri: str, page_bytes: int = 0) -> Iterator[int]:
    """A server of one of the two apps; gives its port."""
    port = free_port()
    settings = {"SECRET_KEY": SECRET, "SQLALCHEMY_DATABASE_URI": uri}
    settings["OPTOUT_BASE_URL"] = "http://127.0.0.1"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "BARE_PAGE_BYTES": str(page_bytes),
        **{f"HOST_{name}": json.dumps(value) for name, value in settings.items()},
    }
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-b",
        f"127.0.0.1:{port}",
        "-w",
        str(WORKERS),
        "--log-level",
        "error",
    ]
    server = subprocess.Popen([*command, f"benchmarks.served:{app}()"], env=environment)
    with started(server, port):
        yield port


class Clients:
    """Some clients without keep-alive, as candidates come: each makes its requests one after the other.

    :param make: makes the requests of one round; all are made beforehand.
    """

    def __init__(self, port: int, expected: int, make: Callable[[int], list[bytes]], number: int) -> None:
        self._port = port
        self._expected = expected
        self._rounds = iter([make(number) for _ in range(ROUNDS + 1)])

    def __call__(self) -> None:
        requests = next(self._rounds)
        with ThreadPoolExecutor(CLIENTS) as pool:
            for statuses in pool.map(self._ask, [requests[start::CLIENTS] for start in range(CLIENTS)]):
                assert statuses <= {self._expected}, f"{statuses} where {self._expected} is right"

    def _ask(self, requests: list[bytes]) -> set[int]:
        return {ask(self._port, request)[0] for request in requests}


def ask(port: int, request: bytes) -> tuple[int, bytes]:
    """Status and body of the answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), body


def get(path: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", *HEADERS, "", ""]).encode()


def post(path: str, body: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", *HEADERS, "Content-Type: application/x-www-form-urlencoded"]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()


class Candidates:
    """What they ask for; everybody who presses is another person, behind a mail domain of their own."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._fresh = itertools.count()

    def presses(self, number: int) -> list[bytes]:
        return [post(self._host.path(who), urlencode(self._host.form("mute", who))) for who in self._people(number)]

    def signals(self, number: int) -> list[bytes]:
        links = current_state().links
        urls = [links.url(Door.ONE_CLICK, parse(who), OPPORTUNITY) for who in self._people(number)]
        return [post(urlsplit(url).path, "List-Unsubscribe=One-Click") for url in urls]

    def bare_presses(self, number: int) -> list[bytes]:
        return [post(f"/bare/{who}", "choice=mute") for who in self._people(number)]

    def _people(self, number: int) -> list[str]:
        return [f"candidate{n}@domain{n}.org" for n in itertools.islice(self._fresh, number)]


def measure(kind: str, number: int) -> Iterator[Row]:
    with hosted(kind, SECRET_KEY=SECRET) as host, ExitStack() as stack:
        PLAIN.create(host.db.engine)
        uri = host.app.config["SQLALCHEMY_DATABASE_URI"]
        path = host.path(READER)
        port = stack.enter_context(gunicorn("ours", uri))
        status, page = ask(port, get(path))
        assert status == 200 and b"Not Interested?" in page
        bare = stack.enter_context(gunicorn("bare", uri, len(page)))
        people = Candidates(host)
        contenders: dict[str, Clients] = {
            "bare look": Clients(bare, 200, lambda n: [get(f"/bare/{READER}")] * n, number),
            "look": Clients(port, 200, lambda n: [get(path)] * n, number),
            "bare press": Clients(bare, 303, people.bare_presses, number),
            "press": Clients(port, 303, people.presses, number),
            "one-click": Clients(port, 200, people.signals, number),
        }
        times = interleave(contenders, ROUNDS)
    for name, (path, base, against, bounds) in REQUESTS.items():
        if kind in bounds:
            ours, others = (number / times.seconds(which) for which in (name, base))
            note = f"{ours:.0f} a second, the bare route {others:.0f}; {WORKERS} workers, {CLIENTS} clients."
            yield Row(f"{kind}: {path}", against, times.ratio(base, name), least=bounds[kind], note=note)


def rows(full: bool) -> Iterator[Row]:
    number = 500 if full else 100
    yield from on_databases("serving pages", KINDS, lambda kind: measure(kind, number))

"""The world of the benchmark: a host app on a real HTTP server, its candidates, a clock that can be put forward."""

from __future__ import annotations

import http.client
import itertools
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from flask import request
from playwright.sync_api import Browser
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_optout import BadToken
from flask_optout.addresses import parse
from flask_optout.choices.repository import Statement
from flask_optout.links.tokens import Door
from flask_optout.presses.judge import LAYERS, Layer
from flask_optout.testing.scanners import Answer, Scanner
from flask_optout.wiring import State, current_state
from tests.support.hosts import Host, dispose, free_port, http_server, make_host, say

#: Not a rule of the judge: opening a page runs no code that mutes. Turned off, the benchmark adds such code.
SAFE_READS = Layer("L0 safe reads", lambda weighed: None)
#: Where people sit, and where scanners do that do not share their gateway.
OFFICE, ELSEWHERE = "198.51.100.7", "203.0.113.9"
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass
class World:
    """One run: all that is random comes from ``dice``, all times from a clock that only :meth:`wait` puts forward.

    :param address: of the client that acts, as the proxy in front of the app tells it.
    :param meanwhile: what happens instead of one of a scanner's pauses, the first of which is after it has opened its
        first page.
    :param pauses: how many pauses there are before that one.
    """

    host: Host
    base: str
    dice: random.Random
    browser: Browser | None
    address: str = ELSEWHERE
    meanwhile: Callable[[], None] | None = None
    pauses: int = 0
    asked: Counter[str] = field(default_factory=Counter)
    reading_mutes: bool = False
    _now: float = field(default_factory=time.time)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def state(self) -> State:
        return current_state()

    def now(self) -> float:
        return self._now

    def wait(self, seconds: float) -> None:
        """Let time pass for the app, without waiting."""
        if self.meanwhile is not None and self.pauses == 0:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        else:
            self.pauses = max(0, self.pauses - 1)
            self._now += seconds

    def candidate(self, domain: str | None = None) -> Candidate:
        """Somebody who was invited and has said nothing yet; by default nobody else has their mail domain."""
        number = next(self._numbers)
        return Candidate(self, f"jane{number}@{domain or f'company{number}.example'}")

    @contextmanager
    def without(self, layer: Layer | None) -> Iterator[None]:
        """Switch one layer off; without ``SAFE_READS``, to open a link is to opt out, as it is with many products."""
        self.state.presses.layers = [each for each in LAYERS if each is not layer]
        self.reading_mutes = layer is SAFE_READS
        yield
        self.state.presses.layers, self.reading_mutes = LAYERS, False


@dataclass
class Candidate:
    """One candidate of the world, and what is true about them."""

    world: World
    address: str
    opportunity: str = "beta-42"

    @property
    def link(self) -> str:
        return self.world.state.links.url(Door.LANDING, parse(self.address), self.opportunity)

    @property
    def one_click(self) -> str:
        return self.world.state.links.url(Door.ONE_CLICK, parse(self.address), self.opportunity)

    @property
    def is_muted(self) -> bool:
        return not self.world.host.optout.may_invite(self.address, self.opportunity)

    @property
    def is_muted_for_all(self) -> bool:
        """Whether they get no invitation to anything any more; nobody here wants that."""
        return not self.world.host.optout.may_invite(self.address, "another")

    @property
    def asked(self) -> int:
        """How often a page asked them, or a scanner at their link, to press once more."""
        return self.world.asked[urlsplit(self.link).path]

    def said(self, muted: bool) -> None:
        """Make it their choice, some days ago."""
        say(self.world.host, muted, self.address, self.opportunity)

    def scanner(self) -> Scanner:
        """A scanner without a browser at this candidate's link."""
        world, dice = self.world, random.Random(self.world.dice.random())
        return Scanner(partial(send, world), self.link, self.one_click, dice, world.wait)


def send(world: World, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    """Send exactly these headers over a socket and follow redirects as browsers do."""
    for _ in range(5):
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        connection.putrequest(
            method, parts.path + (f"?{parts.query}" if parts.query else ""), skip_accept_encoding=True
        )
        for name, value in {"X-Forwarded-For": world.address, **headers}.items():
            if value:
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        text, location = response.read().decode(), response.getheader("Location")
        connection.close()
        if response.status not in REDIRECTS or location is None:
            return Answer(response.status, url, text)
        url, body, method = urljoin(url, location), None, "HEAD" if method == "HEAD" else "GET"
    raise RuntimeError("The app redirects in circles.")


@contextmanager
def world(seed: int, browser: Browser | None) -> Iterator[World]:
    """A host app, served and with its context pushed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        host = make_host(folder, OPTOUT_BASE_URL=base)
        stack.callback(dispose, host)
        made = World(host, base, random.Random(seed), browser)
        host.app.wsgi_app = _as_safari_sends(ProxyFix(host.app.wsgi_app))  # type: ignore[method-assign]
        host.app.before_request(_mute_on_reading(made))
        host.app.after_request(_watch(made))
        stack.enter_context(host.app.app_context())
        made.state.clock = made.now
        stack.enter_context(http_server(host.app, port))
        yield made


def _as_safari_sends(app: Any) -> Any:
    """Drop what Safari does not send: the engine below its user agent here is Chromium's."""

    def strip(environ: dict[str, Any], start: Any) -> Any:
        agent = environ.get("HTTP_USER_AGENT", "")
        if "Safari/" in agent and "Chrome/" not in agent:
            environ.pop("HTTP_SEC_FETCH_USER", None)
        return app(environ, start)

    return strip


def _mute_on_reading(world: World) -> Any:
    def read() -> None:
        if world.reading_mutes and request.endpoint == "optout.landing" and request.method in ("GET", "HEAD"):
            token = (request.view_args or {})["token"]
            with suppress(BadToken):
                claim = world.state.tokens.read(Door.LANDING, token)
                statement = Statement(claim.person[0], True, "page")
                world.state.choices.transact(lambda connection: (None, [statement]))

    return read


def _watch(world: World) -> Any:
    """Note whose page asked to press once more."""

    def note(response: Any) -> Any:
        if (
            request.method == "POST"
            and response.mimetype == "text/html"
            and 'class="optout-again"' in response.get_data(as_text=True)
        ):
            world.asked[request.path] += 1
        return response

    return note

"""Fixtures: a host app, its client, a real SMTP server, a real HTTP server, a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from flask.testing import FlaskClient
from hypothesis import settings

from flask_optout.email_log.records import LARGEST_ID
from flask_optout.presses.evidence import Page as Shown
from tests.support.databases import KINDS, Database, NoServer, database_of
from tests.support.email_log import read_until
from tests.support.hosts import Host, Mailbox, dispose, free_port, http_server, make_host, smtp_server
from tests.support.pressing import Press

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

# A busy machine is slow and not wrong; where a change waits to land, each run tries the same examples.
settings.register_profile("tests", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("tests")

MakeHost = Callable[..., Host]
#: Chromium's own services would look for the network.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def missing(what: str, mend: str) -> NoReturn:
    """Skip for want of something this machine lacks; where everything is required, fail."""
    reason = f"no {what}: {mend}"
    if os.environ.get("OPTOUT_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


class Module(pytest.Module):
    """A test module that is skipped where it imports a package that only an extra brings."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return super().collect()
        except self.CollectError as error:
            skip_without_package(error.__cause__)
            raise


def skip_without_package(error: BaseException | None) -> None:
    """Skip where this error says that a package is missing which an extra brings."""
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if name not in ("", "flask_optout", "tests"):
        missing(f"package {name}", "pip install -e '.[integration,dev,benchmarks]'")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    try:
        return (yield)
    except ModuleNotFoundError as error:
        skip_without_package(error)
        raise


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    return Module.from_parent(parent, path=module_path)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what takes long in an everyday run."""
    if config.option.markexpr or os.environ.get("OPTOUT_REQUIRE_ALL") == "1":
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes long: -m long runs those"))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeHost]:
    """Make a host app with settings of its own."""
    hosts: list[Host] = []

    def make(**config: Any) -> Host:
        hosts.append(make_host(tmp_path, **config))
        return hosts[-1]

    yield make
    for host in hosts:
        dispose(host)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind that people run."""
    try:
        with database_of(request.param, tmp_path) as database:
            yield database
    except NoServer as error:
        missing(f"{request.param} server", str(error))


@pytest.fixture
def minutes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every minute is over for whoever reads the Email Log: what was just sent is there."""
    read_until(monkeypatch, lambda: LARGEST_ID)


@pytest.fixture
def smtp() -> Iterator[Mailbox]:
    with smtp_server(Mailbox) as mailbox:
        yield mailbox


@pytest.fixture
def host(make: MakeHost, smtp: Mailbox) -> Iterator[Host]:
    """A host app that sends to the SMTP server, with its context pushed."""
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        yield host


@pytest.fixture
def client(host: Host) -> FlaskClient:
    return host.app.test_client()


@pytest.fixture
def press(host: Host, client: FlaskClient) -> Press:
    """Press a button of a page of jane@example.org's; gives the page that it leads to."""

    def press(choice: str, page: Shown = Shown.OPENED, age: float = 5.0, visit: str = "", **headers: str) -> str:
        form = host.form(choice, page=page, age=age, **({"visit": visit} if visit else {}))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(host.path(), data=form, headers=named, follow_redirects=True).text

    return press


@pytest.fixture
def served(make: MakeHost, smtp: Mailbox) -> Iterator[Host]:
    """A host app on a real HTTP server; its base URL is where it is served."""
    port = free_port()
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, OPTOUT_BASE_URL=f"http://127.0.0.1:{port}")
    with http_server(host.app, port), host.app.app_context():
        yield host


def find_chromium() -> str | None:
    """The path of Chromium, if this machine has it."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for one module: while Playwright runs, no other test can call ``asgiref`` in this thread."""
    if (chromium := find_chromium()) is None:
        missing("Chromium", "apt-get install chromium, or set CHROMIUM to its path")
    try:
        from playwright.sync_api import expect, sync_playwright
    except ModuleNotFoundError:
        missing("package playwright", "pip install -e '.[integration]'")
    expect.set_options(timeout=30_000)  # what takes seconds on a busy machine is slow and not wrong
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(params=[True, False], ids=["scripts on", "scripts off"])
def scripts(request: pytest.FixtureRequest) -> bool:
    """Whether browsers run scripts."""
    return bool(request.param)


@pytest.fixture
def page(scripts: bool, browser: Browser) -> Iterator[Page]:
    """A page with scripts on and off; whatever the console has to complain about fails the test."""
    with page_of(browser, java_script_enabled=scripts) as page:
        yield page


@contextmanager
def page_of(browser: Browser, **options: Any) -> Iterator[Page]:
    """A page in a browser context of its own, whose console may not complain."""
    context = browser.new_context(**options)
    page = context.new_page()
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # The browser asks for the host's icon by itself, and a page that is left cuts short what it loads.
        by_itself = message.location["url"].endswith("/favicon.ico") or "ERR_CONTENT_LENGTH_MISMATCH" in message.text
        if message.type == "error" and not by_itself:
            complaints.append(f"{message.text} {message.location['url']}")

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []

"""Every URL that a page of ours prints is below the path of OPTOUT_BASE_URL, whatever mounts the app, and opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from flask import render_template_string
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import TestResponse

from tests.conftest import MakeHost
from tests.support.hosts import Host
from tests.support.walk import Form

ORIGIN = "https://invite.example.org"
URLS = ("href", "src", "action", "formaction", "hx-get", "hx-post")
#: The host's own pages about opportunities.
HOSTS = ("https://example.org/beta-42", "/studies/7")


class Printed(HTMLParser):
    """The URLs that stand on a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.urls += [value or "" for name, value in attributes if name in URLS and not (value or "").startswith("#")]


def plain(host: Host) -> None:
    """The server hands the app the paths that browsers ask for."""


def dispatch(host: Host) -> None:
    """A dispatcher mounts the app, which then knows its SCRIPT_NAME."""
    host.app.wsgi_app = DispatcherMiddleware(NotFound(), {"/jobs": host.app.wsgi_app})  # type: ignore[method-assign]


def told(host: Host) -> None:
    """A proxy strips the prefix and says so."""
    host.app.wsgi_app = ProxyFix(host.app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]


@dataclass(frozen=True)
class Deployment:
    """A base URL's path, what is stripped of it before the app, what the proxy says, and what mounts the app."""

    path: str
    stripped: str = ""
    says: str = ""
    mount: Callable[[Host], None] = plain


DEPLOYMENTS = {
    "at the root": Deployment(""),
    "below a prefix that a proxy strips": Deployment("/jobs", "/jobs"),
    "below a long prefix of which a proxy strips a part": Deployment("/a/jobs", "/a", mount=dispatch),
    "below a dispatcher": Deployment("/jobs", mount=dispatch),
    "below a prefix that a proxy strips and names": Deployment("/jobs", "/jobs", "/jobs", told),
}


class Reached:
    """A host as browsers reach it in a deployment."""

    def __init__(self, host: Host, deployment: Deployment) -> None:
        deployment.mount(host)
        self.host = host
        self._deployment = deployment
        self._client = host.app.test_client()

    def get(self, url: str, **headers: str) -> TestResponse:
        return self._client.get(self._path(url), headers={**self._said, **headers}, buffered=True)

    def post(self, url: str, data: dict[str, str]) -> TestResponse:
        return self._client.post(self._path(url), data=data, headers={**self._said, "Sec-Fetch-Site": "same-origin"})

    @property
    def _said(self) -> dict[str, str]:
        return {"X-Forwarded-Prefix": self._deployment.says} if self._deployment.says else {}

    def _path(self, url: str) -> str:
        parts = urlsplit(url)
        assert parts.path.startswith(f"{self._deployment.path}/optout/"), url
        return parts._replace(scheme="", netloc="", path=parts.path.removeprefix(self._deployment.stripped)).geturl()


@pytest.fixture(params=DEPLOYMENTS.values(), ids=[*DEPLOYMENTS])
def reached(request: pytest.FixtureRequest, make: MakeHost) -> Iterator[Reached]:
    base = f"{ORIGIN}{request.param.path}"
    host = make(OPTOUT_BASE_URL=base, MAIL_SUPPRESS_SEND=True, operator=lambda: True)
    with host.app.app_context():
        host.mail.send(host.invitation())
        yield Reached(host, request.param)


def all_open(reached: Reached, page: str) -> None:
    urls = [url for url in Printed(page).urls if url != reached.host.app.config["OPTOUT_BASE_URL"]]
    assert sum(url.split("?")[0].endswith((".css", ".js")) for url in urls) >= 3
    for url in urls:
        if url not in HOSTS and not url.endswith("/send-again"):  # which takes a POST alone
            assert reached.get(url).status_code == 200, url


def test_a_press_stays_below_the_prefix(reached: Reached) -> None:
    link = reached.host.optout.link("jane@example.org", "beta-42")
    page = reached.get(link)
    all_open(reached, page.text)
    action = next(url for url in Printed(page.text).urls if url.startswith("/") and "static" not in url)
    assert urlsplit(action).path.startswith(urlsplit(link).path.rpartition("/")[0])
    answer = reached.post(action, reached.host.form("mute"))
    assert answer.status_code == 303
    all_open(reached, reached.get(answer.location).text)
    assert not reached.host.optout.may_invite("jane@example.org", "beta-42")


@pytest.mark.parametrize("path", ["", "?q=jane&when=today", "1", "1?part=html", "7"])
def test_the_email_log_stays_below_the_prefix(reached: Reached, path: str) -> None:
    base = reached.host.app.config["OPTOUT_BASE_URL"]
    all_open(reached, reached.get(f"{base}/optout/operator/{path}").text)


def test_a_filter_is_pushed_below_the_prefix(reached: Reached) -> None:
    base = reached.host.app.config["OPTOUT_BASE_URL"]
    answer = reached.get(f"{base}/optout/operator/?q=join", **{"HX-Request": "true"})
    assert reached.get(answer.headers["HX-Push-Url"]).status_code == 200


def test_a_filter_is_saved_below_the_prefix(reached: Reached) -> None:
    base = reached.host.app.config["OPTOUT_BASE_URL"]
    page = reached.get(f"{base}/optout/operator/?q=join").text
    action = next(url for url in Printed(page).urls if url.endswith("/?q=join"))
    answer = reached.post(action, {**Form(page).fields, "name": "All", "do": "save"})
    assert answer.status_code == 303
    all_open(reached, reached.get(answer.location).text)


def test_without_a_store_the_button_stays_below_the_prefix(reached: Reached) -> None:
    link, form = reached.host.optout.link("jane@example.org", "beta-42"), reached.host.form("mute")
    reached.host.db.drop_all()
    answer = reached.post(link, form)
    assert answer.status_code == 503
    assert f'action="{urlsplit(link).path}"' in answer.text


def test_a_page_of_the_hosts_finds_our_files_and_our_form(reached: Reached) -> None:
    page = "{% include 'optout/_head.html' %}{{ optout_toggle('jane@example.org', 'beta-42') }}"
    with reached.host.app.test_request_context("/account"):
        all_open(reached, render_template_string(page))

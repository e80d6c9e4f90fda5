"""The whole story of a candidate over HTTP, as a browser and a mail program would tell it."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from tests.support.hosts import Mailbox, Received
from tests.support.story import NO, UNDO

SIGNAL = "List-Unsubscribe=One-Click"
#: Seconds; whoever presses faster has not read the page.
A_GLANCE = 0.45


@dataclass
class Form(HTMLParser):
    """The form of a page: its hidden fields and its buttons."""

    page: str
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._button: dict[str, str] | None = None
        self.feed(self.page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.action = given.get("action", "")
        elif tag == "input" and given.get("type") == "hidden":
            self.fields[given["name"]] = given.get("value", "")
        elif tag == "button":
            self._button = given

    def handle_data(self, data: str) -> None:
        if self._button is not None:
            self.buttons[data.strip()] = self._button
            self._button = None


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass
class Web:
    """Reaches public URLs at the address where a server of the test's listens.

    ``forward`` says what a proxy in front of it does: the headers that it sets, and the path that it strips.
    """

    port: int
    forward: Mapping[str, str] = field(default_factory=dict)
    strip: str = ""

    def open(self, url: str, body: str | None = None) -> Answer:
        parts = urlsplit(url)
        host = parts.netloc.lower().removesuffix(":443" if parts.scheme == "https" else ":80")
        headers = {"Host": host, **self.forward}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            path = parts.path.removeprefix(self.strip) + (f"?{parts.query}" if parts.query else "")
            connection.request("GET" if body is None else "POST", path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read().decode())
        finally:
            connection.close()

    def press(self, url: str, label: str) -> str:
        """Open a page, press a button as a person without scripts would, and give the page that follows."""
        page = self.open(url)
        assert page.status == 200, page
        for _ in range(2):  # the page may ask for the press once more
            form = Form(page.text)
            button = form.buttons[label]
            data = {**form.fields, button["name"]: button["value"]}
            time.sleep(A_GLANCE)
            page = self.open(urljoin(url, button.get("formaction") or form.action), urlencode(data))
            if page.status == 303:
                break
        assert page.status == 303, page
        page = self.open(urljoin(url, page.headers["Location"]))
        assert page.status == 200, page
        return page.text


def links(mail: Received) -> tuple[str, str]:
    """The link in the text and the one in the header."""
    link = re.search(r"https?://\S+", mail.part("plain"))
    assert link is not None
    return link[0], str(mail.message["List-Unsubscribe"]).strip("<>")


def walk(web: Web, smtp: Mailbox, invite: Callable[[], object], public: str) -> None:
    """Invite, open, mute, invite in vain, undo, invite, one-click, invite in vain."""
    invite()
    assert len(smtp.received) == 1
    link, one_click = links(smtp.received[0])
    assert link.startswith(public) and one_click.startswith(public)
    assert NO in Form(web.open(link).text).buttons

    assert UNDO in Form(web.press(link, NO)).buttons
    invite()
    assert len(smtp.received) == 1

    assert NO in Form(web.press(link, UNDO)).buttons
    invite()
    assert len(smtp.received) == 2

    answer = web.open(one_click, SIGNAL)
    assert answer.status == 200, answer
    assert not {"Location", "Set-Cookie"} & set(answer.headers)
    invite()
    assert len(smtp.received) == 2
    assert UNDO in Form(web.open(link).text).buttons

    for bad in (link[:-1], one_click[:-1]):
        assert web.open(bad).status == 404

"""What mail scanners do over HTTP, to try on your own deployment: none of it may change a choice.

Each profile behaves like a scanner that exists or is likely to come. They send no mail, run no scripts and visit one
candidate's link only; the profiles that need a browser are in the benchmark.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urljoin

from ..doctor.forms import BROWSER, CHROME, FORM, SIGNAL, Button, Form, find_buttons, find_forms, find_offered

OLD_CHROME = BROWSER.format("57.0")
SENTINEL = "Barracuda Sentinel (EE)"
REQUESTS = "python-requests/2.31.0"
UNFURLERS = (
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "facebookexternalhit/1.1 Facebot Twitterbot/1.0",
    "WhatsApp/2.23.20.0",
)
#: One-click bodies that are not the signal, with their content types.
BLIND = (
    (b"", ""),
    (b"", FORM),
    (b"choice=mute", FORM),
    (b"List-Unsubscribe=One-Click", "text/plain"),
    (b'{"List-Unsubscribe": "One-Click"}', "application/json"),
    (b"list-unsubscribe=one-click", FORM),
)


class Answer(NamedTuple):
    """The final response, after redirects: status, URL and text."""

    status: int
    url: str
    text: str


#: Sends one request (method, URL, headers, body) and follows redirects.
Send = Callable[[str, str, Mapping[str, str], bytes | None], Answer]


@dataclass
class Scanner:
    """One visit of a scanner to one candidate's link.

    :param one_click: the URL of the mail's List-Unsubscribe header, if it is known.
    :param wait: waits so many seconds.
    """

    send: Send
    link: str
    one_click: str | None = None
    dice: random.Random = field(default_factory=random.Random)
    wait: Callable[[float], None] = time.sleep

    @property
    def doors(self) -> list[str]:
        return [self.link] if self.one_click is None else [self.link, self.one_click]

    def get(self, url: str, agent: str, method: str = "GET", **headers: str) -> Answer:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send(method, url, {"User-Agent": agent, **more}, None)

    def post(self, url: str, agent: str, body: bytes, kind: str) -> Answer:
        headers = {"User-Agent": agent, **({"Content-Type": kind} if kind else {})}
        return self.send("POST", url, headers, body)

    def press(self, page: Answer, form: Form, button: Button, agent: str) -> Answer:
        """Send a form as if this button had been pressed."""
        return self.post(urljoin(page.url, form.action), agent, form.body(button), FORM)


def head_probe(scanner: Scanner) -> None:
    """Sends a HEAD request to each link."""
    for url in scanner.doors:
        scanner.get(url, scanner.dice.choice(["", OLD_CHROME]), "HEAD")


def mutated_links(scanner: Scanner) -> None:
    """Damages links and opens them, then opens them whole from somewhere else."""
    for url in scanner.doors:
        scanner.get(url, OLD_CHROME, "HEAD")
        scanner.get(url + "%27", OLD_CHROME)
        scanner.get(url[: -scanner.dice.randint(1, 9)], OLD_CHROME)
        scanner.get(url, CHROME)


def gateway_sweep(scanner: Scanner) -> None:
    """Opens every link twice within a moment."""
    agent = scanner.dice.choice([SENTINEL, "", REQUESTS])
    for _ in range(2):
        for url in scanner.doors:
            scanner.get(url, agent)
        scanner.wait(0.134)


def unfurlers(scanner: Scanner) -> None:
    """Opens the link to show a preview of it in a chat."""
    for agent in UNFURLERS:
        scanner.get(scanner.link, agent)


def prefetch(scanner: Scanner) -> None:
    """Loads the page before anybody asks for it."""
    for name, value in (("Sec_Purpose", "prefetch"), ("Sec_Purpose", "prefetch;prerender"), ("Purpose", "prefetch")):
        scanner.get(scanner.link, CHROME, **{name: value})


def crawl_all_forms(scanner: Scanner) -> None:
    """Finds every form and sends it once with each of its buttons, in their order or in any."""
    agent = scanner.dice.choice([CHROME, OLD_CHROME, REQUESTS])
    page = scanner.get(scanner.link, agent)
    presses = find_buttons(page.text)
    if scanner.dice.random() < 0.5:
        scanner.dice.shuffle(presses)
    for press in presses:
        scanner.wait(scanner.dice.uniform(0.0, 2.0))
        scanner.press(page, *press, agent)


def crawl_each_form(scanner: Scanner) -> None:
    """Finds every form and sends it once with its first button."""
    page = scanner.get(scanner.link, OLD_CHROME)
    for form in find_forms(page.text):
        scanner.wait(scanner.dice.uniform(0.5, 2.0))
        if form.buttons:
            scanner.press(page, form, form.buttons[0], OLD_CHROME)


def crawl_first_form(scanner: Scanner) -> None:
    """Finds the first form, sends it with its first button, and does the same with the page that it gets."""
    agent = scanner.dice.choice([CHROME, REQUESTS, ""])
    page = scanner.get(scanner.link, agent)
    for _ in range(3):
        found = find_buttons(page.text)
        if not found:
            return
        scanner.wait(scanner.dice.uniform(0.0, 2.0))
        page = scanner.press(page, *found[0], agent)


def crawl_everything_that_follows(scanner: Scanner) -> None:
    """Calls itself a scanner, and presses each button in turn, then each button of the page that it gets."""
    agent = scanner.dice.choice([REQUESTS, SENTINEL, ""])
    page = scanner.get(scanner.link, agent)
    for press in find_buttons(page.text):
        scanner.wait(scanner.dice.uniform(0.5, 3.0))
        after = scanner.press(page, *press, agent)
        for second in find_buttons(after.text)[:: scanner.dice.choice((1, -1))]:
            scanner.wait(scanner.dice.uniform(0.5, 3.0))
            scanner.press(after, *second, agent)


def blind_poster(scanner: Scanner) -> None:
    """Posts to every URL without looking at it, and sends what forms there are without a button."""
    page = scanner.get(scanner.link, OLD_CHROME)
    for form in find_forms(page.text):
        scanner.wait(scanner.dice.uniform(0.5, 2.0))
        scanner.press(page, form, Button("go", ""), OLD_CHROME)
    for agent in scanner.dice.sample([CHROME, OLD_CHROME, REQUESTS, ""], 4):
        for body, kind in (*BLIND, SIGNAL):
            scanner.post(scanner.link, agent, body, kind)
        if scanner.one_click is not None:
            for body, kind in BLIND:
                scanner.post(scanner.one_click, agent, body, kind)


PROFILES: dict[str, Callable[[Scanner], None]] = {
    "P1 head probe": head_probe,
    "P2 mutated links": mutated_links,
    "P3 gateway sweep": gateway_sweep,
    "P4 unfurlers": unfurlers,
    "P5 prefetch": prefetch,
    "P7 form crawler, all forms": crawl_all_forms,
    "P7 form crawler, each form": crawl_each_form,
    "P7 form crawler, first form": crawl_first_form,
    "P7 form crawler, what follows": crawl_everything_that_follows,
    "P8 blind poster": blind_poster,
}


class Finding(NamedTuple):
    """Whether a profile left the choice as it was; ``None`` if the page has no button to tell by."""

    profile: str
    unchanged: bool | None


def scan(scanner: Scanner) -> Iterator[Finding]:
    """Let every profile visit a link; yield whether its page offers the same buttons as before."""
    for name, profile in PROFILES.items():
        before = find_offered(scanner.get(scanner.link, CHROME).text)
        profile(scanner)
        after = find_offered(scanner.get(scanner.link, CHROME).text)
        yield Finding(name, before == after if before else None)

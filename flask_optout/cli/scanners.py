"""``flask optout alarms``, ``notify-domain`` and ``scan-me``: what an operator can do about mail scanners."""

from __future__ import annotations

import csv
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import TextIO
from urllib.parse import urlsplit

import click
from flask import current_app
from flask.cli import with_appcontext

from ..addresses import Address, parse
from ..doctor.scan import Answer, Scanner, scan
from ..errors import OptOutError
from ..invitations.compose import LOOPBACK, Letter
from ..links.keys import ALL
from ..links.tokens import Door
from ..mailers.delivery import default_sender, deliver
from ..pages.languages import translate
from ..pages.rendering import render
from ..wiring import current_state
from .progress import progress

INVITED = "FILE holds who was invited, one 'address,opportunity' a line; - reads standard input."
STATUS = "Exit status: 0 when it did what it says, 1 when it could not, 2 when it was used wrongly."
EXAMPLE = "\n\n\b\nExample:\n    flask optout"


@click.command(
    "alarms",
    help=f"Name the mail domains where a scanner may have pressed for people.\n\n{INVITED}\n\n{STATUS}"
    f"{EXAMPLE} alarms invited.csv",
)
@click.argument("file", type=click.File())
@with_appcontext
def alarms(file: TextIO) -> None:
    found = list(current_state().alarms.of(address for address, _ in _invited(file)))
    for alarm in found:
        click.echo(f"{alarm.day}  {alarm.domain}: at least {alarm.at_least} opted out within five minutes")
    if not found:
        click.echo("No alarm at a domain of which five or more stand in the file.")


@click.command(
    "notify-domain",
    help="Ask everybody at DOMAIN who was invited to check their answer: one neutral mail each, with their own link, "
    f"whatever they answered. A domain gets it at most once a week.\n\n{INVITED}\n\n{STATUS}"
    f"{EXAMPLE} notify-domain example.org invited.csv",
)
@click.argument("domain")
@click.argument("file", type=click.File())
@with_appcontext
def notify_domain(domain: str, file: TextIO) -> None:
    state = current_state()
    domain = _address(f"anybody@{domain}", "DOMAIN").domain
    links: dict[Address, list[str]] = {}
    for address, opportunity in _invited(file):
        if address.domain == domain:
            links.setdefault(address, []).append(state.links.url(Door.LANDING, address, opportunity))
    if not links:
        raise click.ClickException(f"Nobody at {domain} stands in the file, so nobody was asked.")
    if not state.alarms.take_notice(domain):
        raise click.ClickException(f"{domain} had its notice within the last week, so nobody was asked again.")
    with progress("Asking") as reach:
        for number, (address, urls) in enumerate(links.items(), 1):
            text = render("mail/notice.txt", urls=dict.fromkeys(urls))
            deliver(_notice(address, text))
            reach(number / len(links))
    click.echo(f"Asked {len(links)} people at {domain}.")


def _notice(address: Address, text: str) -> Letter:
    return Letter(
        address=address,
        opportunity=ALL,
        subject=translate("Is your answer to our invitation right?"),
        text=text,
        html=None,
        sender=default_sender(),
        reply_to=None,
        headers={"Auto-Submitted": "auto-generated"},
    )


@click.command(
    "scan-me",
    help="Let scanners loose on URL, a link of a test candidate, and tell what they changed that they should not. "
    "They speak plain HTTP, through whatever stands before this app.\n\n"
    "Exit status: 0 when they changed nothing, 1 when they did or nothing answers, 2 when URL is not yours."
    f"{EXAMPLE} scan-me https://jobs.example.org/optout/...",
)
@click.argument("url")
@click.option("--host", help="Allow this host, when it is neither this machine nor the one of OPTOUT_BASE_URL.")
@with_appcontext
def scan_me(url: str, host: str | None) -> None:
    own = urlsplit(current_app.config["OPTOUT_BASE_URL"] or "").hostname
    if urlsplit(url).scheme not in ("http", "https") or urlsplit(url).hostname not in {*LOOPBACK, own, host} - {None}:
        raise click.UsageError("URL is not on this machine, not on OPTOUT_BASE_URL's host, and not on --host.")
    changed = 0
    try:
        for finding in scan(Scanner(_send, url, _one_click(url))):
            verdict = {True: "changed nothing", False: "CHANGED THE CHOICE", None: "no button of ours on the page"}
            click.echo(f"{finding.profile:30} {verdict[finding.unchanged]}")
            changed += finding.unchanged is not True
    except urllib.error.URLError as error:
        raise click.ClickException(f"{url} does not answer: {error.reason}.") from None
    if changed:
        raise click.ClickException(
            "Something between scanners and the choice is missing. Compare your templates with those of Flask-OptOut "
            "(form, nonce, buttons), and look for a cache or a proxy that changes methods."
        )


class _Hold(urllib.request.HTTPErrorProcessor):
    """Lets every status pass, redirects excepted."""

    def http_response(self, request: urllib.request.Request, response: object) -> object:
        status = getattr(response, "status", 0)
        return super().http_response(request, response) if 300 <= status < 400 else response  # type: ignore[arg-type]

    https_response = http_response


def _send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    request = urllib.request.Request(url, body, {"User-Agent": "", **headers}, method=method)
    if body is not None and "Content-Type" not in headers:
        request.add_header("Content-Type", "")
    with urllib.request.build_opener(_Hold).open(request, timeout=30) as response:
        return Answer(response.status, response.url, response.read().decode(errors="replace"))


def _one_click(url: str) -> str | None:
    """The header's door of the same candidate, where this app's keys can tell it."""
    state = current_state()
    try:
        claim = state.tokens.read(Door.LANDING, url.rpartition("/")[2])
        path = urlsplit(state.links.prefix(Door.ONE_CLICK)).path
    except OptOutError:
        return None
    return urlsplit(url)._replace(path=path + state.tokens.reissue(Door.ONE_CLICK, claim)).geturl()


def _invited(file: TextIO) -> Iterator[tuple[Address, str]]:
    for number, row in enumerate(csv.reader(file), 1):
        if not row:
            continue
        if len(row) != 2 or not row[1].strip():
            raise click.ClickException(f"Line {number} is not 'address,opportunity'.")
        yield _address(row[0].strip(), f"Line {number}"), row[1].strip()


def _address(text: str, where: str) -> Address:
    try:
        return parse(text)
    except OptOutError as error:
        raise click.ClickException(f"{where}: {error}") from None

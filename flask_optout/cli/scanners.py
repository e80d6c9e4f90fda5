"""``flask optout alarms``, ``notify-domain`` and ``scan-me``: what an operator can do about mail scanners."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Mapping
from http.client import HTTPException
from smtplib import SMTPException
from urllib.parse import urlsplit

import click
from flask.cli import with_appcontext

from ..addresses import Address, Recipient, parse
from ..config import LOOPBACK
from ..email_log.records import classify_error
from ..errors import ConfigurationError, OptOutError
from ..links.tokens import ALL, Door
from ..mailers.own_mails import compose_link_letter, deliver, get_default_sender, make_links
from ..testing.scanners import Answer, Scanner, scan
from ..wiring import current_state
from .terminal import failure, format_count, parse_typed, progress


@click.command("alarms")
@click.option("--json", "for_programs", is_flag=True, help="Write JSON.")
@with_appcontext
def alarms(for_programs: bool) -> None:
    """Name the mail domains where a scanner may have pressed.

    There, at least five people were invited within a week, and at least three of them, and at least half, opted out
    on one day. It names no person, and a day is reported when it is over.

    Example: flask optout alarms
    """
    found = list(current_state().alarms.find_raised())
    if for_programs:
        click.echo(json.dumps([each._asdict() for each in found], default=str, indent=2))
        return
    for alarm in found:
        click.echo(f"{alarm.day}  {alarm.domain}: at least {alarm.at_least} opted out.")
    if not found:
        click.echo("No alarm.")


@click.command("notify-domain")
@click.argument("domain")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only say how many it would mail.")
@with_appcontext
def notify_domain(domain: str, yes: bool, dry_run: bool) -> None:
    """Ask everybody at a mail domain to check their answer.

    Everybody whom the Email Log names at DOMAIN gets one neutral mail with their own links, whatever they answered.
    It says how many it will mail, and asks. A domain gets it at most once a week.

    Exit status: 0 when they were asked, 1 when somebody was not, 2 when it was used wrongly.

    Example: flask optout notify-domain example.org --dry-run
    """
    state = current_state()
    domain = parse_typed(f"anybody@{domain.removeprefix('@')}", "That is not a mail domain").domain
    invited: dict[str, tuple[Address, list[str]]] = {}
    for recipient, opportunity in state.email_log.find_invited_at(domain):
        address = parse(recipient)
        invited.setdefault(address.canonical, (address, []))[1].append(opportunity)
    if not invited:
        raise failure(f"The Email Log names nobody at {domain}, so nobody was asked.")
    people = f"{format_count(len(invited), 'person', 'people')} at {domain}"
    if dry_run:
        click.echo(f"{people} would be asked.")
        return
    if not yes:
        click.confirm(f"Mail {people}?", abort=True)
    sender = get_default_sender()
    if not state.alarms.take_notice(domain):
        raise failure(f"{domain} had its notice within the last week, so nobody was asked again.")
    failures = _mail_links(domain, [*invited.values()], sender)
    if failures:
        reasons = ", ".join(f"{why}: {count:,}" for why, count in failures.most_common())
        raise failure(f"Of {people}, {failures.total():,} could not be mailed ({reasons}).")
    click.echo(f"Asked {people}.")


def _mail_links(domain: str, invited: list[tuple[Address, list[str]]], sender: Recipient) -> Counter[str]:
    """Mail people their links to opportunities; return the causes of failures, with the number of people for each.

    If nobody was mailed, the domain's notice is released.
    """
    failures, mailed = Counter[str](), 0
    try:
        with progress("Asking", "mails") as reach:
            for number, (address, opportunities) in enumerate(invited, 1):
                links = make_links(address, opportunities)
                try:
                    deliver(compose_link_letter(address, ALL, *links, sender=sender, about="notice"))
                    mailed += 1
                except ConfigurationError:
                    raise
                except Exception as error:
                    no_server = isinstance(error, OSError) and not isinstance(error, SMTPException)
                    if no_server and not mailed:
                        return Counter({classify_error(error): len(invited)})
                    failures[classify_error(error)] += 1
                reach(number / len(invited), number)
    finally:
        if not mailed:
            current_state().alarms.drop_notice(domain)
    return failures


@click.command("scan-me")
@click.argument("url")
@click.option("--host", help="Allow this host, when it is neither this machine nor the one of OPTOUT_BASE_URL.")
@with_appcontext
def scan_me(url: str, host: str | None) -> None:
    """Try mail scanners on the link of a test candidate.

    It says whether they changed the choice, which they must not. They use plain HTTP, through the proxy in front of
    the app, if there is one.

    \b
    Exit status: 0 when they changed nothing, 1 when they did or nothing
    answers, 2 when URL is not yours.

    Example: flask optout scan-me https://jobs.example.org/optout/...
    """
    own = urlsplit(current_state().app.config["OPTOUT_BASE_URL"]).hostname
    try:
        parts = urlsplit(url)
    except ValueError:
        raise click.UsageError("URL is malformed.") from None
    if parts.scheme not in ("http", "https") or parts.hostname not in {*LOOPBACK, own, host} - {None}:
        raise click.UsageError("URL is not on this machine, not on OPTOUT_BASE_URL's host, and not on --host.")
    changed = 0
    try:
        for finding in scan(Scanner(_send, url, _find_one_click(url))):
            verdict = {True: "changed nothing", False: "CHANGED THE CHOICE", None: "no button of ours on the page"}
            click.echo(f"{finding.profile:30} {verdict[finding.unchanged]}")
            changed += finding.unchanged is not True
    except (OSError, HTTPException, UnicodeError) as error:
        raise failure(f"The URL does not answer: {getattr(error, 'reason', type(error).__name__)}.") from None
    if changed:
        raise failure(
            "Something between scanners and the choice is missing. Compare your templates with those of Flask-OptOut "
            "(form, nonce, buttons), and look for a cache or a proxy that changes methods."
        )


def _send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    kind = {} if body is None else {"Content-Type": ""}
    request = urllib.request.Request(url, body, {"User-Agent": "", **kind, **headers}, method=method)
    try:
        response = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:  # also a response
        response = error
    with response:
        return Answer(response.status, response.url, response.read().decode(errors="replace"))


def _find_one_click(url: str) -> str | None:
    """Return the one-click URL of the same candidate, if this app's keys can make it."""
    state = current_state()
    try:
        claim = state.tokens.read(Door.LANDING, url.rpartition("/")[2])
        path = urlsplit(state.links.prefix(Door.ONE_CLICK)).path
    except OptOutError:
        return None
    return urlsplit(url)._replace(path=path + state.tokens.reissue(Door.ONE_CLICK, claim)).geturl()

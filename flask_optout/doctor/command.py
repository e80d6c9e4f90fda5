"""``flask optout doctor`` and ``flask optout scan-me``"""

from __future__ import annotations

import io
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

import click
from flask import current_app
from flask.cli import with_appcontext

from ..config import LOOPBACK
from ..errors import OptOutError
from ..links.tokens import Door
from ..wiring import current_state

if TYPE_CHECKING:
    from .scan import Answer


class _Checked(click.ParamType[Any]):
    """An option that a function of ``case`` checks, which an app that is not examined does not wait for."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from . import case

        try:
            return getattr(case, f"checked_{self.name}")(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option("--domain", type=_Checked("domain"), help="The domain in From; else the default sender's.")
@click.option("--message", type=click.File("rb"), help="A delivered invitation, saved with all its headers.")
@click.option("--nameserver", type=_Checked("nameserver"), help="Ask this one, as 9.9.9.9 or 9.9.9.9:53.")
@click.option(
    "--block-list",
    "block_lists",
    type=_Checked("domain"),
    multiple=True,
    help="Ask this DNS block list too, such as zen.spamhaus.org; may be given several times.",
)
@click.option("--json", "for_programs", is_flag=True, help="Write JSON; docs/doctor.md describes it.")
@click.option("--offline", is_flag=True, help="Ask neither DNS nor the deployed app.")
@with_appcontext
def doctor(
    domain: str | None,
    message: BinaryIO | None,
    nameserver: tuple[str, int] | None,
    block_lists: tuple[str, ...],
    for_programs: bool,
    offline: bool,
) -> None:
    """Say what is wrong, and how to mend it.

    It looks at the set-up of this app, the sending domain, a sample and the doors.

    Exit status: 0 when nothing fails, 1 when something does, 2 when the command was used wrongly.

    \b
    Example:
        flask optout doctor --message delivered.eml
    """
    from .case import Case
    from .examine import examine
    from .report import TITLES, as_json, write
    from .sample import LONGEST_MESSAGE

    raw = None if message is None else message.read(LONGEST_MESSAGE + 1)
    try:
        state = current_state()
    except OptOutError as error:
        raise click.ClickException(str(error)) from None
    case = Case.of(current_app.config, domain, raw, () if nameserver is None else (nameserver,), block_lists)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    terminal = sys.stderr if sys.stderr.isatty() else io.StringIO()
    with click.progressbar(length=len(TITLES), label="Looking", show_eta=False, file=terminal) as bar:
        report = examine(app, state, case, offline, lambda group: bar.update(1))
    if for_programs:
        click.echo(as_json(report))
    else:
        write(report, sys.stdout)
    sys.exit(report.exit_status)


@click.command("scan-me")
@click.argument("url")
@click.option("--host", help="Allow this host, when it is neither this machine nor the one of OPTOUT_BASE_URL.")
@with_appcontext
def scan_me(url: str, host: str | None) -> None:
    """Let scanners loose on the link of a test candidate.

    It tells what they changed that they should not. They speak plain HTTP, through whatever stands before this app.

    \b
    Exit status: 0 when they changed nothing, 1 when they did or nothing
    answers, 2 when URL is not yours.

    \b
    Example:
        flask optout scan-me https://jobs.example.org/optout/...
    """
    from .scan import Scanner, scan

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


def _send(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    from .scan import Answer

    kind = {} if body is None else {"Content-Type": ""}
    request = urllib.request.Request(url, body, {"User-Agent": "", **kind, **headers}, method=method)
    try:
        response = urllib.request.urlopen(request, timeout=30)
    except urllib.error.HTTPError as error:  # which is an answer, too
        response = error
    with response:
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

"""Every page in every state that somebody can meet, and how to get there: for axe, for the walks and for pictures."""

from __future__ import annotations

from collections.abc import Callable
from smtplib import SMTPRecipientsRefused

from playwright.sync_api import Page

from flask_optout.addresses import parse
from flask_optout.email_log.search import Criteria
from flask_optout.links.tokens import Door
from flask_optout.testing import forget_data_key
from flask_optout.wiring import current_state
from tests.support.host_looks import LOOKS
from tests.support.hosts import say
from tests.support.stage import HTMLS, Stage
from tests.support.story import NO, UNDO, press


def muted(stage: Stage, page: Page, opportunity: str = "beta-42") -> None:
    page.goto(stage.link(f"muted.{next(stage.people)}", opportunity))
    press(page, NO)
    page.get_by_role("button", name=UNDO).wait_for()


def muted_later(stage: Stage, page: Page) -> None:
    say(stage.host, True, to="later@example.org")
    page.goto(stage.link("later"))


def muted_later_open(stage: Stage, page: Page) -> None:
    muted_later(stage, page)
    for summary in page.locator("summary").all():
        summary.click()


def muted_all(stage: Stage, page: Page) -> None:
    say(stage.host, True, to="all@example.org", everything=True)
    page.goto(stage.link("all"))


def muted_both(stage: Stage, page: Page) -> None:
    say(stage.host, True, to="both@example.org")
    say(stage.host, True, to="both@example.org", everything=True)
    page.goto(stage.link("both"))


def muted_by_base(stage: Stage, page: Page) -> None:
    say(stage.host, True, to="base@example.org")
    page.goto(stage.link("base+beta"))


def asked_again(stage: Stage, page: Page) -> None:
    page.goto(stage.link(f"hurried.{next(stage.people)}"))
    page.get_by_role("button", name=NO).evaluate("button => button.click()")
    page.locator(".optout-again").wait_for()


def asked_again_about_undo(stage: Stage, page: Page) -> None:
    muted_later_open(stage, page)
    page.get_by_role("button", name=UNDO).evaluate("button => button.click()")
    page.locator(".optout-again").wait_for()


def no_store(stage: Stage, page: Page) -> None:
    with stage.broken.app.app_context():
        page.goto(stage.broken.optout.link("jane@example.org", "beta-42"))


def no_store_for_a_press(stage: Stage, page: Page) -> None:
    with stage.broken.app.app_context():
        stage.broken.db.create_all()
        forget_data_key()
        page.goto(stage.broken.optout.link("jane@example.org", "beta-42"))
        stage.broken.db.drop_all()
        press(page, NO)
        page.get_by_role("button", name="Try again").wait_for()


def no_answer(stage: Stage, page: Page) -> None:
    page.goto(stage.link("offline"))
    page.route("**/optout/*", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    press(page, NO)
    page.locator(".optout-status:not(:empty)").wait_for()


def ask(stage: Stage, page: Page) -> None:
    page.goto(current_state().links.url(Door.ASK, parse("jane@example.org"), "beta-42"))


def ask_answered(stage: Stage, page: Page) -> None:
    ask(stage, page)
    page.get_by_label("Your email address").fill("nobody@example.org")
    page.get_by_role("button").click()
    page.get_by_role("link", name="Type another address").wait_for()


def at(find: Callable[[Stage], str]) -> Callable[[Stage, Page], None]:
    def go(stage: Stage, page: Page) -> None:
        page.goto(find(stage))

    return go


def asks_to_send_again(stage: Stage, page: Page, to: str = "zoe.martin") -> None:
    page.goto(stage.sent(to))
    page.get_by_text("Send it again…").click()


def sent_again(stage: Stage, page: Page) -> None:
    to = f"again.{next(stage.people)}"
    stage.host.mail.send(stage.host.invitation(f"{to}@example.org"))
    asks_to_send_again(stage, page, to)
    page.get_by_role("button", name="Send it again").click()
    page.get_by_text("Accepted.").wait_for()


def sent_today(stage: Stage, page: Page) -> None:
    sent_again(stage, page)
    page.goto(page.url.partition("?")[0])


def foreign_form(stage: Stage, page: Page) -> None:
    page.set_content(
        f'<form method="post" action="{stage.sent("zoe.martin")}/send-again"><button>Win</button></form>'
    )
    page.get_by_role("button", name="Win").click()
    page.get_by_text("Nothing changed.").wait_for()


def failed(stage: Stage, page: Page) -> None:
    [entry] = current_state().search.find(Criteria(mailbox="a-person@example.org")).entries
    current_state().email_log.record_failure(entry.id, SMTPRecipientsRefused({"": (550, b"")}))
    page.goto(stage.log("?failed=1&when=today&from=2020-12-24&q=person"))


def opened(stage: Stage, page: Page) -> None:
    """Beside the list, where there are scripts and room."""
    page.goto(stage.log())
    page.get_by_role("link", name="Join us").last.click()
    page.locator(".optout-entry").wait_for()


def saved_filters(stage: Stage, page: Page) -> None:
    number = next(stage.people)
    page.goto(stage.log(f"?opportunity=beta-42&q=join+{'+' * number}us"))  # what is saved is not saved again
    page.get_by_text("Save this filter").click()
    page.get_by_label("Name", exact=True).last.fill(f"Pixel Beta {number}")
    page.get_by_role("button", name="Save for all operators").click()
    page.get_by_text("The filter is saved.").wait_for()


def changes_a_saved_filter(stage: Stage, page: Page) -> None:
    saved_filters(stage, page)
    page.locator(".optout-saved summary").first.click()
    page.locator(".optout-saved summary", has_text="Delete").first.click()


def name_taken(stage: Stage, page: Page) -> None:
    saved_filters(stage, page)
    page.goto(stage.log("?opportunity=beta-42"))
    page.get_by_text("Save this filter").click()
    taken = page.locator(".optout-saved a").first.inner_text()
    page.get_by_label("Name", exact=True).last.fill(taken)
    page.get_by_role("button", name="Save for all operators").click()
    page.get_by_text("There is a saved filter of this name.").wait_for()


Bring = Callable[[Stage, Page], None]
CANDIDATE: dict[str, Bring] = {
    "invited": at(lambda stage: stage.link("invited")),
    "invited, long": at(lambda stage: stage.link("invited", "study-7")),
    "invited, opportunity gone": at(lambda stage: stage.link("invited", "gone")),
    "invited, everything": at(lambda stage: stage.link("invited", "*")),
    "muted": muted,
    "muted, long": lambda stage, page: muted(stage, page, opportunity="study-7"),
    "muted, opportunity gone": lambda stage, page: muted(stage, page, opportunity="gone"),
    "muted, later": muted_later,
    "muted, later, unfolded": muted_later_open,
    "muted, everything": muted_all,
    "muted, both": muted_both,
    "muted without its tag": muted_by_base,
    "asked again": asked_again,
    "asked again about the undo": asked_again_about_undo,
    "no store": no_store,
    "no store for a press": no_store_for_a_press,
    "no answer": no_answer,
    "dead link": at(lambda stage: stage.link("invited")[:-3]),
    "ask": ask,
    "ask, answered": ask_answered,
}
OPERATOR: dict[str, Bring] = {
    "log": at(lambda stage: stage.log()),
    "log, filtered": at(lambda stage: stage.log("?q=jane@example.org&opportunity=beta-42")),
    "log, by a part": at(lambda stage: stage.log("?q=ja&when=week")),
    "log, failed": failed,
    "log, nothing found": at(lambda stage: stage.log("?q=nothing")),
    "log, wrong filter": at(lambda stage: stage.log("?from=2031-12-24&to=2031-12-23")),
    "log, saved filter": saved_filters,
    "log, a saved filter to change": changes_a_saved_filter,
    "log, name taken": name_taken,
    "log, opened": opened,
    "entry": at(lambda stage: stage.sent("jane")),
    "entry, html": at(lambda stage: stage.sent("jane") + "?part=html"),
    "entry, headers": at(lambda stage: stage.sent("jane") + "?part=headers"),
    "send again": asks_to_send_again,
    "sent again": sent_again,
    "send again, not today": sent_today,
    "nothing there": at(lambda stage: stage.log("1")),
    "form of another site": foreign_form,
    "log, no store": at(lambda stage: f"{stage.broken.app.config['OPTOUT_BASE_URL']}/optout/operator/"),
}


def toggled(look: str) -> Bring:
    return at(lambda stage: stage.url(f"/look?look={look}"))


def framed(look: str) -> Bring:
    return at(lambda stage: f"{stage.link('muted')}?look={look}")


def toggle_asked_again(stage: Stage, page: Page) -> None:
    toggled("bootstrap")(stage, page)
    page.get_by_role("button", name=NO).evaluate("button => button.click()")
    page.locator(".optout-again").wait_for()


def mailed(name: str) -> Bring:
    return at(lambda stage: stage.url(f"/mail/{name}"))


HOSTED = {
    **{f"toggle, {look}": toggled(look) for look in LOOKS},
    **{f"frame, {look}": framed(look) for look in LOOKS},
    "toggle, asked again": toggle_asked_again,
}
MAILS = {f"mail, {name}": mailed(name) for name in (*HTMLS, "ours")}
STATES = {**CANDIDATE, **OPERATOR}
#: What only scripts bring about.
SCRIPTED = {"toggle, asked again", "asked again", "asked again about the undo", "no answer"}

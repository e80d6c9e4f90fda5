"""A host makes toggle, pages and mails its own by the manual's code: looks, landing page, frame, words and mails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Response, render_template
from jinja2 import ChoiceLoader, DictLoader
from playwright.sync_api import Browser, Page, expect

from flask_optout.mailers.flask_mail import Invitation
from flask_optout.pages.routing import HOME
from tests.conftest import MakeHost, page_of
from tests.support.hosts import Host, Mailbox, free_port, http_server
from tests.support.story import NO, UNDO, press

pytestmark = pytest.mark.usefixtures("minutes_over")

PAGE = (Path(__file__).parents[3] / "docs" / "customising.md").read_text()
CSS = "".join(re.findall(r"^```css\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
LANDING, INVITE = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TEMPLATES = dict(re.findall(r"^```jinja\n\{# templates/(\S+) #\}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
FRAME = """<!doctype html><html lang="en"><head><title>{% block title %}Jobs{% endblock %}</title>
{% block head %}<link rel="stylesheet" href="/host.css">{% endblock %}</head>
<body><header>Jobs at Example</header><main class="apply">{% block main %}{% endblock %}</main></body></html>"""
NO_MORE = "You will get no more invitations to Pocket Camera."


def dress(host: Host, *templates: str) -> None:
    """Give the host these templates of the manual, its stylesheet, and what the manual takes for granted."""
    files = {"base.html": FRAME, **{name: TEMPLATES[name] for name in templates}}
    loader = host.app.jinja_loader
    host.app.jinja_loader = ChoiceLoader([DictLoader(files), *([loader] if loader else [])])
    host.optout.opportunity_loader(lambda id: {"title": "Pocket Camera"})
    host.app.add_url_rule("/host.css", "css", lambda: Response(CSS, mimetype="text/css"))
    host.app.add_url_rule("/logo.svg", "logo", lambda: Response("<svg/>", mimetype="image/svg+xml"))

    @host.app.get("/account")
    def account() -> Response:
        response = Response(render_template("account.html", current_user=SimpleNamespace(email="jane@example.org")))
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        return response


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with page_of(browser, viewport={"width": 700, "height": 600}) as page:
        yield page


def numbers(colour: str) -> list[float]:
    """Those of a colour as it is computed: ``color(xyz-d65 X Y Z)``, or ``oklch(lightness chroma hue)``."""
    return [float(number) for number in re.findall(r"(?<![\w.-])[\d.]+", colour)]


def base(host: Host) -> str:
    return str(host.app.config["OPTOUT_BASE_URL"])


def test_every_block_of_the_manual_is_run() -> None:
    assert set(TEMPLATES) == {
        "account.html",
        "mail/invitation.html",
        "mail/invitation.txt",
        "opportunity.html",
        "optout/_brand.html",
        "optout/_site.html",
        "optout/base.html",
        "optout/dead_link.html",
        "optout/operator/account.html",
        "optout/operator/base.html",
    }
    assert set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)) == {"css", "jinja", "python"}


def test_every_property_that_it_names_is_there_and_no_other() -> None:
    stylesheet = (HOME / "static" / "optout.css").read_text()
    defined = set(re.findall(r"(--optout-[\w-]+):", stylesheet))
    assert set(re.findall(r"--optout-[\w-]+", PAGE)) == defined
    assert set(re.findall(r"var\((--[\w-]+)", stylesheet)) <= defined


def test_operators_pages_take_the_hosts_frame_and_log_out(make: MakeHost, browser: Browser) -> None:
    port = free_port()
    settings = {"OPTOUT_BASE_URL": f"http://127.0.0.1:{port}", "MAIL_SUPPRESS_SEND": True}
    host = make(operator=lambda: "Olga", OPTOUT_OPERATOR_HOME="/admin/", **settings)
    host.app.add_url_rule("/log-out", "log_out", lambda: "Bye")
    dress(host, "optout/operator/base.html", "optout/operator/account.html")
    with http_server(host.app, port), host.app.app_context(), page_of(browser) as page:
        host.mail.send(host.invitation())
        page.goto(f"{base(host)}/optout/operator/")
        expect(page.get_by_role("banner")).to_have_text("Jobs at Example")
        expect(page.get_by_role("link", name="Home")).to_have_attribute("href", "/admin/")
        expect(page.get_by_role("main")).to_contain_text("Olga Log out")
        page.get_by_role("link", name="Join us").click()
        expect(page.get_by_role("article")).to_contain_text("Come and try it.")
        expect(page.get_by_role("banner")).to_have_count(1)
        page.get_by_role("link", name="On a page of its own").click()
        expect(page.get_by_role("banner")).to_have_text("Jobs at Example")
        expect(page.get_by_role("main")).to_contain_text("Come and try it.")
        page.get_by_role("link", name="Log out").click()
        expect(page.get_by_text("Bye")).to_be_visible()


def test_each_rule_is_bound_to_our_classes() -> None:
    for name in ("optout.css", "operator.css"):
        text = (HOME / "static" / name).read_text()
        rules = re.sub(r"/\*.*?\*/|@(?:media|supports|container)[^{]*\{", "", text, flags=re.DOTALL)
        for selectors in re.findall(r"([^{}]+)\{", rules):
            for selector in re.sub(r"\([^)]*\)", "", selectors.replace(":where(.optout)", ".optout")).split(","):
                assert selector.strip().startswith(".optout"), selector


def test_the_toggle_stands_on_the_hosts_page_in_the_hosts_style(served: Host, page: Page) -> None:
    dress(served, "account.html")
    page.goto(f"{base(served)}/account")
    button = page.get_by_role("button", name=NO)
    expect(button).to_have_css("color", "rgb(122, 31, 92)")
    expect(button).to_have_css("font-size", "14px")
    press(page, NO)
    expect(page.locator(".optout-words")).to_have_text(NO_MORE)
    expect(page.locator(".optout-words")).to_have_css("font-size", "14px")
    assert not served.optout.may_invite("jane@example.org", "camera")


def test_the_links_page_is_the_hosts_and_while_muted_ours_in_its_frame(served: Host, page: Page) -> None:
    dress(served, "optout/base.html", "opportunity.html")
    exec(LANDING, {"app": served.app, "optout": served.optout})
    page.goto(f"{base(served)}/opportunities/camera")
    expect(page.get_by_role("heading")).to_have_text("Pocket Camera")
    expect(page.get_by_role("button")).to_have_count(0)
    link = served.optout.link("jane@example.org", "camera")
    page.goto(link)
    press(page, NO)
    expect(page.locator(".optout-words")).to_have_text(NO_MORE)
    page.goto(link)
    expect(page.get_by_role("heading")).to_have_text(NO_MORE)
    expect(page.get_by_role("banner")).to_have_text("Jobs at Example")
    press(page, UNDO)
    expect(page.get_by_role("link", name="Apply now")).to_be_visible()
    assert page.title() == "Pocket Camera"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("accent", "on_it"),
    [("#7a1f5c", 1.0), ("#ffdd00", 0.0), ("#757575", 1.0), ("#767676", 0.0), ("#00f", 1.0), ("#0f0", 0.0)],
)
def test_one_property_sets_a_colour_that_can_be_read(
    served: Host, browser: Browser, scheme: str, accent: str, on_it: float
) -> None:
    dress(served, "optout/_site.html", "optout/_brand.html")
    with page_of(browser, color_scheme=scheme) as page:
        page.route("**/host.css", lambda route: route.fulfill(body=CSS.replace("#7a1f5c", accent)))
        page.goto(served.optout.link("jane@example.org", "camera"))
        button = page.get_by_role("button", name=NO)
        expect(button).to_have_css("border-radius", "0px")
        expect(page.locator("body")).to_have_css("font-family", "Georgia, serif")
        _, y, _ = numbers(button.evaluate("button => getComputedStyle(button).color"))
        assert y == pytest.approx(on_it, abs=0.1)
        lightness, *_ = numbers(page.locator("footer a").evaluate("a => getComputedStyle(a).color"))
        assert lightness > 0.79 if scheme == "dark" else lightness < 0.51
        expect(page.get_by_role("img", name="The team")).to_have_attribute("src", "/logo.svg")


def test_pages_take_the_hosts_words(served: Host) -> None:
    dress(served, "optout/base.html", "optout/dead_link.html")
    answer = served.app.test_client().get("/optout/nothing")
    assert answer.status_code == 404
    assert "Write to team@example.org" in answer.text and "Jobs at Example" in answer.text


def test_a_mail_has_the_button_and_the_footer_where_the_host_wants_them(served: Host, smtp: Mailbox) -> None:
    dress(served, "mail/invitation.html", "mail/invitation.txt")
    names = {
        "render_template": render_template,
        "Invitation": Invitation,
        "optout": served.optout,
        "mail": served.mail,
    }
    exec(INVITE, names)
    with served.app.test_request_context():
        names["invite"]("jane@example.org")  # type: ignore[operator]
    [mail] = smtp.received
    link = served.optout.link("jane@example.org", "camera")
    html, text = mail.part("html"), mail.part("plain").replace("\r\n", "\n")
    assert re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)', html) == [(link, "See the invitation"), (link, NO)]
    assert "</td></tr><tr><td>\n<table" in html.replace("\r\n", "\n") and "optout_footer" not in html
    assert (
        text.count(link) == 2 and text.strip().endswith(f"{link}\n\nThe Example team") and "optout_footer" not in text
    )

"""A footer looks right in plain text and in html, light and dark, and leaves the host's body as it is."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import render_template_string
from flask_babel import Babel
from playwright.sync_api import Browser

from flask_optout.invitations.compose import Draft, Letter
from flask_optout.wiring import current_state
from tests.conftest import page_of
from tests.support.hosts import Host

DRAFT = Draft(["jane@example.org"], "beta-42", "Join us", text=None, html=None, sender="team@example.org")
SAYS = "Not Interested? Say so here and you will get no more invitations to Pixel Beta:"
TEXTS = {
    "one line": "Come.",
    "a line end": "Come.\n",
    "an empty line": "Come.\n\n",
    "many empty lines": "Come.\n\n\n\n",
    "spaces at the end": "Come.  \n  ",
    "CR LF": "Come.\r\n",
    "CR LF twice": "Come.\r\n\r\n",
    "leading space": "\n  Come.",
    "a signature": "Come.\n\n-- \nThe team\n",
    "flowed": "Come \nand see. \n",
    "quoted": "> Come.\n>\n> Now.\n",
    "tabs": "a\tb\n\t",
    "a form feed": "Come.\f",
    "a line separator": "Come.\u2028",
    "right to left": "تعال.\n",
    "braces": "{{ url }} %s %(x)s {0}",
    "another's link": "https://elsewhere.example/optout/abc",
}
#: What stands before the footer, and behind it.
HTMLS = {
    "a fragment": ("<p>Come.</p>", ""),
    "a document": ("<!doctype html><html><body><p>Come.</p>", "</body></html>"),
    "upper case": ("<HTML><BODY>Come.", "</BODY></HTML>"),
    "a break in the tag": ("<body>Come.", "</body\n>\n</html>\n"),
    "no body tags": ("<html><p>Come.", "</html>"),
    "an end in a comment behind": ("<body>Come.", "</body></html><!-- </body> -->"),
    "an end in a comment before": ("<body><!-- </body> --><p>Come.</p>", "</body>"),
    "Outlook's comments": ("<body><!--[if mso]></body><![endif]--><p>Come.</p>", "</body>"),
    "a quoted mail": ("<body><div><body>Old.</body></div>", "</body></html>"),
    "tables": ("<body><table><tr><td>Come.</td></tr></table>\r\n", "</body>\r\n</html>"),
    "longer in lower case": ("<body>İİİ", "</body>"),
    "no text": ("<body>", "</body>"),
    "a word like it": ("<p>Somebody &lt;/body&gt;</p>", ""),
    "braces": ("<p>{{ url }} %s {0}</p>", ""),
}


def letter(text: str | None = None, html: str | None = None, language: str | None = None) -> Letter:
    return current_state().composer.compose(replace(DRAFT, text=text, html=html, language=language))


@pytest.mark.parametrize("row", TEXTS)
def test_the_text_stays_as_it_is_and_the_link_stands_alone_on_its_line(host: Host, row: str) -> None:
    body, link = TEXTS[row], host.optout.link("jane@example.org", "beta-42")
    text = letter(text=body).text or ""
    assert text.startswith(body)
    gap, says, last = text.removeprefix(body).rpartition(SAYS)
    assert set(gap) <= {"\n"} and says == SAYS
    assert re.search(r"\n\r?\n\Z", body + gap), "an empty line before it"
    assert last == f"\n{link}"


@pytest.mark.parametrize("row", HTMLS)
def test_the_html_stays_as_it_is_around_the_footer(host: Host, row: str) -> None:
    (before, after), link = HTMLS[row], host.optout.link("jane@example.org", "beta-42")
    html = letter(html=before + after).html or ""
    assert html.startswith(before) and html.endswith(after)
    footer = html[len(before) : len(html) - len(after)]
    assert "\n<table " in before + footer and footer.endswith("\n" if after else ">"), "on a line of its own"
    footer = footer.strip("\n")
    assert footer.startswith("<table ") and footer.endswith("</table>") and footer.count("<table") == 1
    assert footer.count(link) == 1
    assert not re.search(r"<(?:img|style|script|link)|class=|url\(|background|color:\s*#", footer), footer


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["de", "ar"])
def test_it_can_be_read_in_the_hosts_colours(host: Host, browser: Browser, scheme: str, language: str) -> None:
    Babel(host.app)
    style = ":root{color-scheme:light dark}body{background:#fff;color:#111}"
    style += "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}}"
    made = letter(html=f"<style>{style}</style><body><p>Hello.</p></body>", language=language).html
    with page_of(browser, color_scheme=scheme, viewport={"width": 320, "height": 300}) as page:
        page.set_content(f"<!doctype html><html><head></head>{made}</html>")
        footer = page.locator("table")
        colours = {page.locator(it).last.evaluate("it => getComputedStyle(it).color") for it in ("a", "td", "p")}
        assert colours == {"rgb(17, 17, 17)" if scheme == "light" else "rgb(238, 238, 238)"}
        assert footer.locator("a").evaluate("it => getComputedStyle(it).textDecorationLine") == "underline"
        assert footer.evaluate("it => getComputedStyle(it).direction") == ("rtl" if language == "ar" else "ltr")
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        assert footer.locator("td").evaluate("it => getComputedStyle(it).textAlign") == "center"
        assert "Pixel Beta" in footer.inner_text()


#: Where a host's template wants the footer, and what is left of the slots.
SLOTS = {
    "in a cell": ("<td>Come.</td><td><!-- optout_footer --></td>", "<td>Come.</td><td>", "</td>"),
    "without spaces": ("<p>Come.</p><!--optout_footer--><p>Bye</p>", "<p>Come.</p>", "<p>Bye</p>"),
    "twice": ("A<!-- optout_footer -->B<!-- optout_footer -->C", "A", "BC"),
}


@pytest.mark.parametrize("row", SLOTS)
@pytest.mark.parametrize("part", ["text", "html"])
def test_a_slot_takes_the_footer(host: Host, row: str, part: str) -> None:
    (body, before, after), link = SLOTS[row], host.optout.link("jane@example.org", "beta-42")
    made = getattr(letter(**{part: body}), part)
    assert made.startswith(f"{before}\n") and made.endswith(f"\n{after}") and made.count(link) == 1


def test_a_slot_is_filled_beside_a_link_of_the_hosts(host: Host) -> None:
    link = host.optout.link("jane@example.org", "beta-42")
    with host.app.test_request_context():
        text = render_template_string("Join: {{ link }} {{ optout_footer }}", link=link)
    assert letter(text=text).text == f"Join: {link} \n{SAYS}\n{link}\n"


def test_the_footer_goes_without_a_title_where_there_is_none(host: Host) -> None:
    host.optout.opportunity_loader(lambda id: None)
    made = letter(text="Come.", html="<p>Come.</p>")
    assert "no more invitations to this" in (made.text or "") and "no more invitations to this" in (made.html or "")


def test_many_invitations_ask_the_host_for_the_title_once(host: Host) -> None:
    asked: list[str] = []

    @host.optout.opportunity_loader
    def about(id: str) -> dict[str, str]:
        asked.append(id)
        return {"title": "Pixel <Beta>\nBcc: x"}

    made = [letter(text="Come.", html="<p>Come.</p>") for _ in range(20)]
    assert asked == ["beta-42"]
    assert "to Pixel <Beta> Bcc: x:" in (made[0].text or "") and "Pixel &lt;Beta&gt; Bcc: x" in (made[0].html or "")

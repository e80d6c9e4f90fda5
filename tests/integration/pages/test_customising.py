"""A host makes the pages its own by the manual's code: colours, frame, words, and the toggle alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Response, render_template
from jinja2 import ChoiceLoader, DictLoader
from playwright.sync_api import Browser, Page, expect

from flask_optout.pages.assets import HOME
from tests.conftest import page_of
from tests.support.hosts import Host
from tests.support.page_states import NO, UNDO
from tests.support.story import press

PAGE = (Path(__file__).parents[3] / "docs" / "customising.md").read_text()
[CSS] = re.findall(r"^```css\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
TEMPLATES = dict(re.findall(r"^```jinja\n\{# templates/(\S+) #\}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
FRAME = """<!doctype html><html lang="en"><head><title>{% block title %}Jobs{% endblock %}</title>
{% block head %}<link rel="stylesheet" href="/host.css">{% endblock %}</head>
<body><header>Jobs at Example</header><main>{% block main %}{% endblock %}</main></body></html>"""
#: Whatever a page can do to its elements without naming them.
HOSTILE = """
* { letter-spacing: 0.5em; text-transform: uppercase; line-height: 3; font-style: italic; }
body { color: red; background: yellow; text-align: right; font: 30px fantasy; }
h1, h2, p, main p { margin: 5em; color: red; float: right; font-size: 40px; }
button, form button, button:hover { display: block; width: 100%; border-radius: 0; color: red; background: 0; }
form { display: grid; border: 9px solid red; }
details, summary { display: none; }
"""
#: How an element looks, and where it stands.
LOOKS = """element => [element, ...element.querySelectorAll('span, p, form, button')].map(each => {
  const style = getComputedStyle(each);
  const names = ['color', 'backgroundColor', 'fontSize', 'fontFamily', 'letterSpacing',
    'lineHeight', 'textTransform', 'textAlign', 'fontStyle', 'display', 'margin', 'float', 'borderRadius',
    'width'];
  return names.map(name => style[name]);
})"""


def dress(host: Host, stylesheet: str, **templates: str) -> None:
    """Give the host templates, its stylesheet and an account page."""
    loader = host.app.jinja_loader
    files = {"base.html": FRAME, **TEMPLATES, **templates}
    host.app.jinja_loader = ChoiceLoader([DictLoader(files), *([loader] if loader else [])])
    host.app.add_url_rule("/host.css", "css", lambda: Response(stylesheet, mimetype="text/css"))

    @host.app.get("/account")
    def account() -> Response:
        response = Response(render_template("account.html", current_user=SimpleNamespace(email="jane@example.org")))
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        return response


@pytest.fixture
def dressed(served: Host, browser: Browser) -> Iterator[tuple[Host, Page]]:
    dress(served, CSS)
    with page_of(browser, viewport={"width": 700, "height": 600}) as page:
        yield served, page


def base(host: Host) -> str:
    return str(host.app.config["OPTOUT_BASE_URL"])


def test_every_block_of_the_manual_is_run() -> None:
    assert set(TEMPLATES) == {"optout/base.html", "optout/dead_link.html", "account.html"}
    assert set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)) == {"css", "jinja"}


def test_every_property_that_it_names_is_there_and_no_other() -> None:
    stylesheet = (HOME / "static" / "optout.css").read_text()
    defined = set(re.findall(r"^\s+(--optout-[\w-]+):", stylesheet, re.MULTILINE))
    assert set(re.findall(r"--optout-[\w-]+", PAGE)) == defined
    assert set(re.findall(r"var\((--[\w-]+)", stylesheet)) <= defined


def test_pages_take_the_hosts_frame_colours_and_words(dressed: tuple[Host, Page]) -> None:
    host, page = dressed
    page.goto(host.optout.link("jane@example.org", "beta-42"))
    expect(page.get_by_role("banner")).to_have_text("Jobs at Example")
    button = page.get_by_role("button", name=NO)
    expect(button).to_have_css("background-color", "rgb(122, 31, 92)")
    expect(button).to_have_css("border-radius", "0px")
    expect(page.locator(".optout")).to_have_css("font-family", "Georgia, serif")
    press(page, NO)
    expect(page.get_by_role("button", name=UNDO)).to_be_visible()
    answer = host.app.test_client().get("/optout/nothing")
    assert (
        answer.status_code == 404 and "Write to team@example.org" in answer.text and "Jobs at Example" in answer.text
    )


def test_no_rule_leaks_into_it_or_out_of_it(served: Host, browser: Browser) -> None:
    toggle = "{{ optout_toggle('jane@example.org', 'beta-42') }}"
    outside = (
        "<h2>Host</h2><p>Host</p><form><button>Host</button></form><details open><summary>x</summary>x</details>"
    )
    pages = {
        "alone": f'{{% include "optout/_head.html" %}}{toggle}',
        "ours": f'{{% include "optout/_head.html" %}}<div id="host">{outside}</div>',
        "theirs": f'<link rel="stylesheet" href="/host.css"><div id="host">{outside}</div>',
        "both": f'<link rel="stylesheet" href="/host.css">{{% include "optout/_head.html" %}}'
        f'{toggle}<div id="host">{outside}</div>',
    }
    dress(served, HOSTILE, **{f"{name}.html": f"<!doctype html>{text}" for name, text in pages.items()})
    served.app.add_url_rule("/look/<name>", "any", lambda name: render_template(f"{name}.html"))
    with page_of(browser, viewport={"width": 700, "height": 900}) as page:

        def looks(name: str, selector: str) -> object:
            page.goto(f"{base(served)}/look/{name}")
            return page.locator(selector).evaluate(LOOKS)

        assert looks("both", ".optout-toggle") == looks("alone", ".optout-toggle")
        assert looks("both", "#host") == looks("theirs", "#host")
        assert looks("theirs", "#host") != looks("ours", "#host")


def test_each_rule_is_bound_to_our_classes() -> None:
    for name in ("optout.css", "operator.css"):
        rules = re.sub(r"/\*.*?\*/|@media[^{]*\{", "", (HOME / "static" / name).read_text(), flags=re.DOTALL)
        for selectors in re.findall(r"([^{}]+)\{", rules):
            for selector in re.sub(r"\([^)]*\)", "", selectors.replace(":where(.optout)", ".optout")).split(","):
                assert selector.strip().startswith(".optout"), selector

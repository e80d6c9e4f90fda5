"""The toggle and our page in five hosts' looks: native, readable, and nothing leaks either way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import page_of
from tests.support.host_looks import LOOKS, put_on_looks
from tests.support.hosts import Host, say

pytestmark = pytest.mark.long

#: What looks unlike the text around it.
STRANGE = """selector => {
  const names = ['color', 'fontFamily', 'fontSize', 'fontStyle', 'fontWeight', 'letterSpacing', 'lineHeight',
    'textTransform', 'wordSpacing'];
  const look = element => names.map(name => getComputedStyle(element)[name]);
  const found = [...document.querySelectorAll(`.optout-toggle ${selector}`)];
  if (!found.length) return [`no ${selector}`];
  return found.filter(element => String(look(element)) !== String(look(element.closest('.place')))).map(
    element => element.outerHTML);
}"""
#: What the toggle would add of its own.
ADDED = """[...document.querySelectorAll('.optout-toggle, .optout-toggle *:not(input)')].filter(element => {
  const style = getComputedStyle(element);
  const lengths = [style.borderTopWidth, style.marginLeft, style.paddingLeft].map(parseFloat);
  const height = parseFloat(style.marginTop) + parseFloat(style.paddingTop);
  return element.checkVisibility() && (style.backgroundColor !== 'rgba(0, 0, 0, 0)' || style.boxShadow !== 'none'
    || style.float !== 'none' || height || lengths.some(length => length));
}).map(element => element.outerHTML)"""
#: The least contrast of a visible text to what is behind it.
CONTRAST = """root => {
  const pixel = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const canvas = pixel.getContext('2d', {willReadFrequently: true});
  const rgba = color => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = octet => octet / 255 <= 0.04045 ? octet / 255 / 12.92 : ((octet / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const probe = document.body.appendChild(document.createElement('i'));
  const behind = element => {
    for (; element; element = element.parentElement) {
      const color = rgba(getComputedStyle(element).backgroundColor);
      if (color[3] === 255) return color;
    }
    probe.style.color = 'Canvas';
    return rgba(getComputedStyle(probe).color);
  };
  const holdsText = node => node.nodeType === 3 && node.textContent.trim();
  const shown = [...document.querySelector(root).querySelectorAll('*')].filter(
    element => element.checkVisibility() && [...element.childNodes].some(holdsText));
  return shown.length && Math.min(...shown.map(element => {
    const [text, back] = [luminance(rgba(getComputedStyle(element).color)), luminance(behind(element))];
    return (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
  }));
}"""
#: How the host's own elements look, and where they stand.
OUTSIDE = """[...document.querySelectorAll('main > *:not(.place), main > form > *')].map(element => {
  const style = getComputedStyle(element), box = element.getBoundingClientRect();
  const values = [...style].filter(name => !name.startsWith('--')).map(name => style[name]);
  return [...values, box.x, box.width, box.height].join('|');
})"""
FAMILIES = "elements => elements.map(element => getComputedStyle(element).fontFamily)"
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def looks(served: Host) -> Host:
    put_on_looks(served)
    say(served, True, to="muted@example.org")
    return served


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    with page_of(browser, color_scheme=request.param) as page:
        yield page


def opened(page: Page, host: Host, look: str, direction: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(f"{host.app.config['OPTOUT_BASE_URL']}/look?look={look}&dir={direction}")


@pytest.mark.parametrize("look", LOOKS)
def test_the_toggle_is_native_and_readable(looks: Host, page: Page, look: str) -> None:
    for direction in ("ltr", "rtl"):
        for width in (320, 768, 1280):
            opened(page, looks, look, direction, width)
            for selector in ("button", ".optout-words", ".optout-status"):
                assert page.evaluate(STRANGE, selector) == []
            assert page.evaluate(ADDED) == []
            assert page.evaluate(CONTRAST, ".place") >= 4.5
            assert page.evaluate(CONTRAST, ".place + .place") >= 4.5
            assert page.evaluate(WIDE) == 0


@pytest.mark.parametrize("look", LOOKS)
def test_no_rule_of_ours_leaks_out(looks: Host, page: Page, look: str) -> None:
    opened(page, looks, look, "ltr", 768)
    with_ours = page.evaluate(OUTSIDE)
    page.locator("link[href*='optout.css']").evaluate_all(
        "links => links.forEach(link => link.sheet.disabled = true)"
    )
    # Without our stylesheet the toggles are higher, but nothing else is another.
    assert page.evaluate(OUTSIDE) == with_ours and len(with_ours) == 6


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("to", ["open", "muted"])
def test_our_page_in_the_hosts_frame_is_native_and_readable(looks: Host, page: Page, look: str, to: str) -> None:
    for direction in ("ltr", "rtl"):
        for width in (320, 1280):
            page.set_viewport_size({"width": width, "height": 700})
            page.goto(f"{looks.optout.link(f'{to}@example.org', 'beta-42')}?look={look}&dir={direction}")
            assert page.evaluate(CONTRAST, "main") >= 4.5
            assert (
                page.locator("main h1").evaluate("h1 => getComputedStyle(h1).backgroundColor") == "rgba(0, 0, 0, 0)"
            )
            families = page.locator("main, main p, main button").evaluate_all(FAMILIES)
            assert len(set(families)) == 1
            assert page.evaluate(WIDE) == 0

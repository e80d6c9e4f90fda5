"""Show the doctor's findings on two sample domains: ``python -m tools.doctor_demo``.

A DNS server on this machine serves a broken domain and a mended one; nothing leaves the machine. With
``--picture docs/doctor.png`` the output is drawn into the manual's picture.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from flask_optout.doctor.case import Case
from flask_optout.doctor.domain import check_domain
from flask_optout.doctor.report import Report, format_lines, write
from flask_optout.doctor.resolver import Resolver
from tests.conftest import CHROMIUM_ARGUMENTS, find_chromium
from tests.support.dns_server import Nameserver, Zone, dns_server

SENDER = "192.0.2.25"
SHORT_KEY = (
    "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMVnspDesMp64aBsRwejwkapAc2Hc8Ex7eS6vkBrEUqmW4vNtUrnedO2T+FnvoUCf+SxhXwTNrFY"
    "yGI5voOnDOcCAwEAAQ=="
)
GOOD_KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAtPc67zLxwyZsCpvNZxQq0Y8XK1HulefItLCClX5aLW45Y5LZtYaqAypzpsbzz9/h"
    "ImPQOjuRnLEe27hLhIIRI6QoBVXYb0aNdc8Itu15UWedFNrhZ6od4MBYoV05n1aNtq1DCXb2auQ8tA/wX3jPXwKyhkVfq8sA+v3Se7WlmdSS"
    "vUBpZYNpKBmrpJZC/bBHzB0Fhc2h9Q90jBpn/muWC99AHsXnOxXTYQLMoKfhrPGPi1TYSxd2aCVCrBO7XTF4inF2trTohTMeQDZoEHrSxW+D"
    "TawYjkmtBMM14d0TGJ0fVI75ygb6+CRkActWqDI8szZrscGOw4uM8yGpXayP6wIDAQAB"
)
OTHERS: Zone = {
    "_spf.office.example TXT": [
        "v=spf1 include:a.office.example include:b.office.example include:c.office.example -all"
    ],
    "a.office.example TXT": ["v=spf1 ip4:198.51.100.0/26 -all"],
    "b.office.example TXT": ["v=spf1 ip4:198.51.100.64/26 -all"],
    "c.office.example TXT": ["v=spf1 ip4:198.51.100.128/26 -all"],
    "mail.shop.example TXT": ["v=spf1 a mx exists:%{i}.ok.shop.example -all"],
    "mail.shop.example A": ["203.0.113.8"],
    "mail.shop.example MX": ["10 mail.shop.example."],
    "_spf.news.example TXT": ["v=spf1 include:pool.news.example -all"],
    "pool.news.example TXT": ["v=spf1 a:out1.news.example a:out2.news.example -all"],
    "out1.news.example A": ["203.0.113.21"],
    "out2.news.example A": ["203.0.113.22"],
    "_spf.crm.example TXT": ["v=spf1 ip4:203.0.113.40 -all"],
    "25.2.0.192.in-addr.arpa PTR": ["out.mended.example."],
    "out.mended.example A": [SENDER],
}
BROKEN: Zone = {
    "broken.example TXT": [
        "v=spf1 include:_spf.office.example include:mail.shop.example include:_spf.crm.example ~all",
        "v=spf1 mx include:_spf.news.example -all",
    ],
    "broken.example MX": ["10 mx.broken.example."],
    "mx.broken.example A": ["192.0.2.7"],
    "_dmarc.broken.example TXT": ["v=DMARC1; p=none; pct=50; rua=mailto:dmarc@broken.example"],
    "invite._domainkey.broken.example TXT": [f"v=DKIM1; k=rsa; p={SHORT_KEY}"],
}
MENDED: Zone = {
    "mended.example TXT": [f"v=spf1 ip4:{SENDER} include:_spf.office.example -all"],
    "mended.example MX": ["10 mx.mended.example."],
    "mx.mended.example A": ["192.0.2.7"],
    "_dmarc.mended.example TXT": ["v=DMARC1; p=quarantine; rua=mailto:dmarc@mended.example"],
    "invite._domainkey.mended.example TXT": [f"v=DKIM1; k=rsa; p={GOOD_KEY}"],
}
ZONE: Zone = {**OTHERS, **BROKEN, **MENDED}


def looked_at(name: str, server: Nameserver) -> Report:
    """What the doctor says of a sample domain."""
    case = Case(
        author=name,
        bounce=name,
        selectors=[("invite", name)],
        sending_host=SENDER,
        sender_is_explicit=True,
        nameserver=server.address,
    )
    return Report.of(name, check_domain(case, Resolver(time.monotonic() + 10, case.nameserver)))


def main() -> None:
    """Show both domains, or draw them with ``--picture``."""
    parser = argparse.ArgumentParser(description="See the doctor at work on two sample domains.")
    parser.add_argument("--picture", type=Path, help="draw the output into this PNG file")
    picture = parser.parse_args().picture
    with dns_server(ZONE) as server:
        broken, mended = looked_at("broken.example", server), looked_at("mended.example", server)
    if picture is None:
        for report in (broken, mended):
            print(f"$ flask optout doctor --domain {report.domain}\n")
            write(report, sys.stdout)
            print()
    else:
        draw([broken, mended], picture)


def draw(reports: list[Report], picture: Path) -> None:
    """Draw reports as a terminal shows them."""
    console = Console(record=True, width=90, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for report in reports:
        console.print(f"$ flask optout doctor --domain {report.domain}\n", highlight=False)
        for line in format_lines(report):
            console.print(Text.from_ansi(line), soft_wrap=True)
        console.print()
    from playwright.sync_api import sync_playwright  # only needed for the picture

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "terminal.html"
        page_file.write_text(console.export_html(code_format=PAGE, inline_styles=True))
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(viewport={"width": 800, "height": 600})
        page.goto(page_file.as_uri())
        page.screenshot(path=picture, full_page=True)
        browser.close()


PAGE = """<!doctype html><meta charset="utf-8"><body style="margin:0;background:#fff;color:#222">
<pre style="margin:16px;font:13px/1.45 'DejaVu Sans Mono',monospace">{code}</pre>"""


if __name__ == "__main__":
    main()

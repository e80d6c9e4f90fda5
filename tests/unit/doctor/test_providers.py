"""What is known of mail providers and of scanners: whose host, selector and link it is."""

from __future__ import annotations

import pytest

from flask_optout.doctor.providers import PROVIDERS, by_host, by_selector, unwrapped


@pytest.mark.parametrize(
    ("host", "path", "name"),
    [
        ("sendgrid.net", "", "SendGrid"),
        ("S1.Domainkey.u1.wl.sendgrid.net.", "", "SendGrid"),
        ("links.invite.example", "/ls/click", "SendGrid"),
        ("notsendgrid.net", "", None),
        ("invite.example", "/optout/", None),
    ],
)
def test_whose_host_it_is(host: str, path: str, name: str | None) -> None:
    provider = by_host(host, path)
    assert (provider and provider["name"]) == name


def test_whose_selector_it_is() -> None:
    provider = by_selector("selector1")
    assert provider is not None and provider["name"] == "Microsoft 365"
    assert by_selector("s1") is None


@pytest.mark.parametrize(("selector", "name"), [("scph0619", "SparkPost"), ("20230601093513pm", "Postmark")])
def test_a_selector_with_a_date_in_it(selector: str, name: str) -> None:
    provider = by_selector(selector)
    assert provider is not None and provider["name"] == name


@pytest.mark.parametrize(
    ("link", "inner", "scanner"),
    [
        ("https://x.example/a", "https://x.example/a", None),
        ("https://www.google.com/url?q=https://x.example/a", "https://x.example/a", "Google"),
        ("https://www.google.com/maps", "https://www.google.com/maps", None),
        ("https://url.us.m.mimecastprotect.com/s/abc", "https://url.us.m.mimecastprotect.com/s/abc", "Mimecast"),
        ("https://[broken", "https://[broken", None),
        (
            "https://de01.safelinks.protection.outlook.de/?url=https%3A%2F%2Fx.example%2Fa&data=1",
            "https://x.example/a",
            "Microsoft Safe Links",
        ),
        (
            "https://urldefense.com/v3/__https://x.example/a?b=c__;!!A!B$",
            "https://x.example/a?b=c",
            "Proofpoint URL Defense",
        ),
        (
            "https://url.avanan.click/v2/r01/___https://x.example/a___.YXA",
            "https://x.example/a",
            "Check Point Harmony",
        ),
        (
            "https://secure-web.cisco.com/1abc/https%3A%2F%2Fx.example%2Fa",
            "https://x.example/a",
            "Cisco Secure Email",
        ),
        (
            "https://hes32-ctp.trendmicro.com/wis/query?url=https%3a%2f%2fx.example%2fa&umid=1",
            "https://x.example/a",
            "Trend Micro",
        ),
        ("https://link.edgepilot.com/s/1/2?u=https://x.example/a", "https://x.example/a", "AppRiver"),
        ("https://protect2.fireeye.com/v1/url?k=1&u=https%3A%2F%2Fx.example%2Fa", "https://x.example/a", "Trellix"),
    ],
)
def test_what_a_scanner_put_in_front_of_a_link(link: str, inner: str, scanner: str | None) -> None:
    assert unwrapped(link) == (inner, scanner)


def test_every_provider_says_what_to_do() -> None:
    assert all(provider["keys"].startswith("https://") for provider in PROVIDERS)
    assert all(provider["setting"] for provider in PROVIDERS if provider["paths"])  # others than these track nothing

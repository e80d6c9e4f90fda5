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
    assert (provider and provider.name) == name


def test_whose_selector_it_is() -> None:
    provider = by_selector("selector1")
    assert provider is not None and provider.name == "Microsoft 365"
    assert by_selector("s1") is None


@pytest.mark.parametrize(
    ("link", "inner", "scanner"),
    [
        ("https://x.example/a", "https://x.example/a", None),
        ("https://www.google.com/url?q=https://x.example/a", "https://x.example/a", "Google"),
        ("https://www.google.com/maps", "https://www.google.com/maps", None),
        ("https://url.us.m.mimecastprotect.com/s/abc", "https://url.us.m.mimecastprotect.com/s/abc", "Mimecast"),
        ("https://[broken", "https://[broken", None),
    ],
)
def test_what_a_scanner_put_in_front_of_a_link(link: str, inner: str, scanner: str | None) -> None:
    assert unwrapped(link) == (inner, scanner)


def test_every_provider_says_what_to_do() -> None:
    assert all(provider.setting and provider.keys.startswith("https://") for provider in PROVIDERS)

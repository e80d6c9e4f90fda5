"""What is known of mail providers and of scanners: whose host, selector and link it is."""

from __future__ import annotations

import pytest

from flask_optout.doctor.finding import KNOWN, find_provider, find_provider_by_selector


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
    provider = find_provider(host, path)
    assert (provider and provider["name"]) == name


def test_whose_selector_it_is() -> None:
    provider = find_provider_by_selector("selector1")
    assert provider is not None and provider["name"] == "Microsoft 365"
    assert find_provider_by_selector("s1") is None


@pytest.mark.parametrize(("selector", "name"), [("scph0619", "SparkPost"), ("20230601093513pm", "Postmark")])
def test_a_selector_with_a_date_in_it(selector: str, name: str) -> None:
    provider = find_provider_by_selector(selector)
    assert provider is not None and provider["name"] == name


def test_every_provider_says_what_to_do() -> None:
    assert all(provider["keys"].startswith("https://") for provider in KNOWN["provider"])
    assert all(
        provider["setting"] for provider in KNOWN["provider"] if provider["paths"]
    )  # others than these track nothing

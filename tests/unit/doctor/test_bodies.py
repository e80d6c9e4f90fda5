"""What a sample's bodies show of the candidate's link."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from flask_optout.doctor.bodies import bodies
from flask_optout.doctor.examine import ours
from flask_optout.doctor.finding import Finding
from flask_optout.doctor.sample import Sample
from tests.support.findings import ids, the
from tests.support.samples import LINK, OURS, PREFIX, eml

A = f'<a href="{LINK}">Not Interested?</a>'


def looked_at(raw: bytes) -> list[Finding]:
    return list(bodies(Sample.read(raw), ours(PREFIX)))


def html(body: str) -> bytes:
    return eml(body, Content_Type="text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("raw", "id"),
    [
        (eml(), "message.link.text"),
        (html(A), "message.link.html"),
        (html(f"<p hidden>{A}</p>"), "message.link.none"),
        (html('<a href="https://elsewhere.example/">Not Interested?</a>'), "message.link.none"),
        (eml("no link"), "message.link.none"),
        (eml("%PDF", Content_Type="application/pdf"), "message.body"),
    ],
)
def test_each_body_shows_the_link(raw: bytes, id: str) -> None:
    assert ids(looked_at(raw)) == {id}


def around(link: str) -> bytes:
    return html(f'<p>Hello</p><a href="{link}">Not Interested?</a>')


LONG = "A" * 60
QUOTED = quote(LINK, safe="")


@pytest.mark.parametrize(
    ("link", "name", "setting"),
    [
        (f"https://u123.ct.sendgrid.net/ls/click?upn={LONG}", "SendGrid", 'clicktracking="off"'),
        (f"https://links.invite.example.org/ls/click?upn={LONG}", "SendGrid", 'clicktracking="off"'),
        (f"https://email.invite.example.org/c/eJw{LONG}", "Mailgun", 'disable-tracking="true"'),
        (f"https://xyz.mjt.lu/lnk/{LONG}/1/abc", "Mailjet", "X-Mailjet-TrackClick"),
        (f"https://mandrillapp.com/track/click/1/x?p={LONG}", "Mandrill", "mc:disable-tracking"),
        (f"https://click.pstmrk.it/3s/{LONG}", "Postmark", "data-pm-no-track"),
        (f"https://abc.r.eu-west-1.awstrack.me/L0/{LONG}", "Amazon SES", "ses:no-track"),
        (f"https://go.sparkpostmail1.com/f/a/{LONG}", "SparkPost", "data-msys-clicktrack"),
        (f"https://e.customeriomail.com/e/c/{LONG}", "Customer.io", 'class="untracked"'),
        (f"https://clicks.elsewhere.example/{LONG}", "clicks.elsewhere.example", "Switch"),
    ],
)
def test_click_tracking_is_named_with_its_setting(link: str, name: str, setting: str) -> None:
    finding = the(looked_at(around(link)), "message.link.tracked")
    assert name in finding.seen
    assert setting in finding.mend


@pytest.mark.parametrize(
    ("link", "name"),
    [
        (f"https://eur01.safelinks.protection.outlook.com/?url={QUOTED}&data=05", "Safe Links"),
        (f"https://urldefense.com/v3/__{LINK}__;!!{LONG}$", "Proofpoint"),
        (f"https://urldefense.com/v3/__{LINK.replace('://', ':/')}__;!!{LONG}$", "Proofpoint"),
        (
            f"https://urldefense.proofpoint.com/v2/url?u={QUOTED.replace('%2F', '_').replace('%', '-')}&d=D",
            "Proofpoint",
        ),
        (f"https://linkprotect.cudasvc.com/url?a={QUOTED}&c=E,1", "Barracuda"),
    ],
)
def test_what_a_scanner_of_the_receiver_put_in_front_is_seen_through(link: str, name: str) -> None:
    found = looked_at(around(link))
    assert "message.link.html" in ids(found)
    assert name in the(found, "message.scanner").seen


def test_behind_a_scanner_that_says_nothing_nobody_can_tell() -> None:
    found = ids(looked_at(around(f"https://protect-eu.mimecast.com/s/{LONG}")))
    assert {"message.scanner", "message.link.unknown"} <= found


def test_html_that_gmail_clips_is_told() -> None:
    assert "message.clipped" in ids(looked_at(html("<p>x</p>" * 13_000 + A)))
    assert "message.clipped" not in ids(looked_at(html("<p>x</p>" * 12_000 + A)))


@pytest.mark.parametrize(("amp", "id"), [(A, "message.link.amp"), ("<p>Join us</p>", "message.amp.none")])
def test_an_amp_part_shows_the_link_too(amp: str, id: str) -> None:
    parts = (
        f"--x\r\nContent-Type: text/x-amp-html\r\n\r\n{amp}\r\n--x\r\nContent-Type: text/html\r\n\r\n{A}\r\n--x--\r\n"
    )
    found = ids(looked_at(eml(parts, Content_Type='multipart/alternative; boundary="x"')))
    assert {"message.link.html", id} <= found


def test_each_part_shows_the_link() -> None:
    parts = (
        "--x\r\nContent-Type: text/plain\r\n\r\nNo link here.\r\n"
        f'--x\r\nContent-Type: text/html\r\n\r\n<a href="{LINK}">Not Interested?</a>\r\n--x--\r\n'
    )
    found = ids(looked_at(eml(parts, Content_Type='multipart/alternative; boundary="x"')))
    assert {"message.link.none", "message.link.html"} <= found


def test_the_link_of_the_header_does_not_stand_in_the_body() -> None:
    assert "message.link.same" not in ids(looked_at(eml()))
    assert "message.link.same" in ids(looked_at(eml(f"Not for you? {OURS}\r\n")))

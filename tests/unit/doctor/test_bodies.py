"""What a sample's bodies show of the candidate's link."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from flask_optout.doctor.bodies import check_bodies, find_visible_links, unwrap
from flask_optout.doctor.case import Sample
from flask_optout.doctor.examine import make_is_ours
from flask_optout.doctor.finding import Finding
from tests.support.findings import ids, the
from tests.support.samples import LINK, OURS, PREFIX, eml

A = f'<a href="{LINK}">Not Interested?</a>'


def looked_at(raw: bytes) -> list[Finding]:
    return list(check_bodies(Sample.read(raw), make_is_ours(PREFIX)))


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
        (f"https://x.r.tsp1-brevo.net/tr/cl/{LONG}", "Brevo", "Switch"),
        (
            f"https://click.invite.example/CL0/https:%2F%2Finvite.example.org%2F{LONG}/1/a",
            "Amazon SES",
            "ses:no-track",
        ),
    ],
)
def test_click_tracking_is_named_with_its_setting(link: str, name: str, setting: str) -> None:
    finding = the(looked_at(around(link)), "message.link.tracked")
    assert name in finding.seen
    assert setting in finding.mend


def test_a_long_name_of_a_page_is_no_click_tracking() -> None:
    link = "https://jobs.example.org/positions/senior-developer-of-the-backend-in-berlin"
    assert ids(looked_at(around(link))) == {"message.link.none"}


@pytest.mark.parametrize(
    "link",
    [
        f"https://docs.google.com/forms/d/e/{LONG}/viewform",
        "https://www.google.com/maps?q=Berlin",
        "https://elsewhere.example/unsubscribe?u=1",
        "https://www.brevo.com/?utm_source=logo",
        "https://share.hubspot.com/blog?utm_source=mail",
    ],
)
def test_a_link_to_somebodys_pages_is_no_click_tracking(link: str) -> None:
    parts = around(link) + b'<a href="https://elsewhere.example/">Home</a>'
    assert ids(looked_at(parts)) == {"message.link.none"}


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
    assert unwrap(link) == (inner, scanner)


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


@pytest.mark.parametrize(
    "body",
    [
        A,
        f'<p><a href="{LINK}"><b>Not</b> Interested?</a></p>',
        f'<a href="{LINK}"><img src="x.png" alt="Not Interested?"></a>',
        f'<br><div style="color:red">{A}',
        # Mail programs make a link of a URL.
        f"<p>Not interested? {LINK}</p>",
        f"<br>{LINK}",
        f"<div hidden><br></div>{A}",
        # Sizes that only begin with a nought, or are set again further in.
        f'<p style="font-size:0.9em">{A}</p>',
        f'<td style="font-size:0px;padding:10px"><div style="font-size:13px">{A}</div></td>',
        f'<table><tr><td style="font-size:0"><table><tr><td style="font-size:12px">{A}</table></td></tr></table>',
        # A hidden preheader whose paragraph never ends.
        f'<div style="display:none;max-height:0"><p>Preheader</div><p>{A}',
        f'<span style="display:none!important;mso-hide:all">Preheader</span>{A}',
        f'<div style="visibility:hidden"><span style="visibility:visible">{A}</span></div>',
        f'<div hidden style="display:block">{A}</div>',
        # Style sheets: the more exact rule, the later one, the element's own style, !important.
        f"<style>a {{display:none}} p a {{display:inline}}</style><p>{A}</p>",
        f"<style>a {{display:none}} a {{display:inline}}</style>{A}",
        f'<style>a {{display:none}}</style><a href="{LINK}" style="display:inline">Not Interested?</a>',
        f"<style>@media (max-width:480px) {{a {{display:none}}}}</style>{A}",
        f'<style>.hide {{display:none}}</style><div class="show">{A}</div>',
        f"<style>}}}} a:::x {{display:none}} broken</style>{A}",
        # Colours.
        f'<div style="background:#000;color:#fff"><a href="{LINK}" style="color:#fff">Not Interested?</a></div>',
        f'<table bgcolor="#ffffff"><tr><td><a style="color:#999" href="{LINK}">Not Interested?</a></td></tr></table>',
        f'<div style="background:url(x.png)"><a style="color:#fff" href="{LINK}">Not Interested?</a></div>',
        f"<!--[if mso]><p hidden><![endif]-->{A}",
        f'<a href="{LINK}"><!--[if mso]>&nbsp;<![endif]-->Not Interested?<!--[if mso]>&nbsp;<![endif]--></a>',
        f'<a href="{LINK}"><!--[if !mso]><!-->Not Interested?<!--<![endif]--></a>',
        f'<div style="font:0/0 a"><div style="font:bold 14px/20px Arial">{A}</div></div>',
        f"\x00{A}",
        # A button of tables, and what else libxml2 ends where a browser does not.
        f'<a href="{LINK}"><table><tr><td style="background:#06c;color:#fff">Not Interested?</td></tr></table></a>',
        f"<style>a{{color:#000}}</style><A HREF='{LINK}'>Not Interested?</A>",
        f'<!doctype html><body><div><a href="{LINK}"><h2>Not</h2></a></div>',
        # Words and calculations are sizes, whatever stands above; and so are other units.
        f'<td style="font-size:0">{A.replace("<a", "<a style=font-size:small")}</td>',
        f'<td style="font-size:0px"><font size="2">{A}</font></td>',
        f'<td style="font-size:0"><span style="font-size:clamp(12px,2vw,20px)">{A}</span></td>',
        f'<p style="font-size:2vw">{A}</p>',
        f'<p style="font-size:1pc">{A}</p>',
        f'<p style="font-size:.2in">{A}</p>',
        # Style sheets for another medium.
        f"<style media=print>a {{display:none}}</style>{A}",
        f'<style media="only screen and (max-width:480px)">a {{display:none}}</style>{A}',
        f"<style>@media (prefers-color-scheme:dark) {{a {{color:#fff}}}}</style>{A}",
        f"<style>a:hover {{display:none}} a[x-apple-data-detectors] {{color:#fff}}</style>{A}",
        # Pictures behind it, and colours as html and newer CSS write them.
        f'<table background="https://x.example/x.png"><tr><td><a style="color:#fff" href="{LINK}">No</a></table>',
        f'<div style="background-image:url(x.png)"><a style="color:#fff" href="{LINK}">Not Interested?</a></div>',
        f'<div style="background-image:linear-gradient(#000,#333)"><a style="color:#fff" href="{LINK}">No</a></div>',
        f'<body bgcolor="#000000" text="#ffffff"><p>Hello <a style="color:inherit" href="{LINK}">No</a>',
        f'<td bgcolor="000000"><a style="color:#fff" href="{LINK}">Not Interested?</a></td>',
        f'<div style="background:rgb(20 20 20 / 90%)"><a style="color:hsl(0 0% 100%)" href="{LINK}">No</a></div>',
        # A picture without its file, and one that is cut into links.
        f'<a href="{LINK}"><img alt="Not Interested?"></a>',
        f'<img src="x.png" usemap="#m"><map name="m"><area href="{LINK}" coords="0,0,9,9"></map>',
    ],
)
def test_a_link_that_people_see_is_seen(body: str) -> None:
    assert find_visible_links(body) == [LINK]


@pytest.mark.parametrize(
    "body",
    [
        f'<a href="{LINK}"></a>',
        f'<a href="{LINK}"> &nbsp;&zwnj;\u200b</a> Not Interested?',
        f'<a href="{LINK}" style="display:none">Not Interested?</a>',
        f'<div style="Display : None"><p>{A}</p></div>',
        f"<p hidden>{A}</p>",
        f"<p hidden>{LINK}</p>",
        f"<!-- {A} -->",
        f'<div style="font-size:0">{A}</div>',
        f'<div style="font-size:1px">{A}</div>',
        f'<div style="font:0/0 a">{A}</div>',
        f'<div style="font-size:20px"><span style="font-size:1%">{A}</span></div>',
        f'<div style="visibility:hidden">{A}</div>',
        f'<div style="visibility:hidden"><a href="{LINK}" style="visibility:inherit">Not Interested?</a></div>',
        f'<div style="opacity:0">{A}</div>',
        f'<div style="max-height:0;overflow:hidden">{A}</div>',
        f'<div style="position:absolute;left:-9999px">{A}</div>',
        f'<div style="text-indent:-9999px">{A}</div>',
        f'<a href="{LINK}" style="color:#ffffff">Not Interested?</a>',
        f'<a href="{LINK}" style="color:transparent">Not Interested?</a>',
        f'<td bgcolor="#f4f4f4"><a href="{LINK}" style="color:#f5f5f5">Not Interested?</a></td>',
        f"<style>.footer a {{display:none}}</style><div class=footer>{A}</div>",
        f"<style>a {{display:none!important}}</style><a style='display:inline' href='{LINK}'>Not Interested?</a>",
        # A tracking pixel is nothing to press.
        f'<a href="{LINK}"><img src="x.png" width="1" height="1"></a>',
        f'<a href="{LINK}"><img src="x.png" style="width:1px"></a>',
        # Media that everybody has, comments in values, other ways to cut off and to move away.
        f"<style>@media screen {{a {{display:none}}}}</style>{A}",
        f"<style media=all>a {{display:none}}</style>{A}",
        f'<a href="{LINK}" style="display:/* no */none">Not Interested?</a>',
        f'<div style="max-height:0;overflow:hidden auto">{A}</div>',
        f'<div style="height:0;overflow-y:hidden">{A}</div>',
        f'<div style="position:absolute;clip:rect(0,0,0,0)">{A}</div>',
        f'<div style="clip-path:inset(50%)">{A}</div>',
        f'<div style="transform:scale(0)">{A}</div>',
        f'<div style="position:absolute;right:-9999px">{A}</div>',
        f"<details><summary>More</summary>{A}</details>",
        f'<a href="{LINK}" style="color:rgb(255 255 255)">Not Interested?</a>',
        f'<a href="{LINK}" style="-webkit-text-fill-color:transparent">Not Interested?</a>',
        f'<a href="{LINK}">\u2800</a>',
        f'<script>document.write("{LINK}")</script><style>/* {LINK} */</style><template>{A}</template>',
        "",
    ],
)
def test_a_link_that_nobody_sees_is_not(body: str) -> None:
    assert find_visible_links(body) == []

"""A sample's headers and bodies, line by line of RFC 8058, 2369, 2919 and 3834."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from flask_optout.doctor.case import Case
from flask_optout.doctor.message import message
from flask_optout.doctor.sample import Sample, Unreadable
from tests.conftest import MakeHost
from tests.support.findings import ids, not_well, the
from tests.support.hosts import Mailbox
from tests.support.samples import LINK, OURS, PREFIX, SETTINGS, SIGNED, TOKEN, eml

FINE = {
    "message.list-unsubscribe",
    "message.list-unsubscribe-post",
    "message.list-id",
    "message.auto-submitted",
    "message.recipient",
    "message.dkim.covers",
    "message.link.text",
    "message.receiver",
}


def looked_at(raw: bytes) -> set[str]:
    return ids(message(Case.of(SETTINGS, message=raw), PREFIX))


def signature(**changes: str) -> str:
    tags = {"v": "1", "a": "rsa-sha256", "d": "example.org", "s": "s1", "h": SIGNED, **changes}
    return "; ".join(f"{name}={value}" for name, value in tags.items())


WRONG = {
    "list-unsubscribe": {"message.list-unsubscribe.wrong"},
    "list-unsubscribe-post": {"message.list-unsubscribe-post.wrong"},
    "list-id": {"message.list-id.wrong"},
    "auto-submitted": {"message.auto-submitted.wrong"},
    "recipient": {"message.recipient.wrong"},
}


@pytest.mark.parametrize(
    ("changes", "lost", "found"),
    [
        ({}, "", set()),
        # RFC 8058 section 3.1 and RFC 2369 section 2.
        ({"List_Unsubscribe": None}, "list-unsubscribe", None),
        ({"List_Unsubscribe": f"<{OURS}>\r\nList-Unsubscribe: <{OURS}>"}, "list-unsubscribe", None),
        ({"List_Unsubscribe": OURS}, "list-unsubscribe", None),
        ({"List_Unsubscribe": f"<{OURS.replace('https', 'http')}>"}, "list-unsubscribe", None),
        ({"List_Unsubscribe": "<mailto:x@example.org>"}, "list-unsubscribe", None),
        ({"List_Unsubscribe": f"<{OURS}>, <https://x.example/2>"}, "list-unsubscribe", None),
        ({"List_Unsubscribe": f"< {OURS} >"}, "list-unsubscribe", None),
        ({"List_Unsubscribe": "=?utf-8?q?=3Chttps=3A//x=2Eexample/1=3E?="}, "list-unsubscribe", None),
        ({"List_Unsubscribe": f"<{OURS}>,\r\n <mailto:stop-1@example.org> (Stop)"}, "", set()),
        (
            {"List_Unsubscribe": f"<{OURS}>, <mailto:stop@example.org?subject=1>"},
            "",
            {"message.list-unsubscribe.mailto"},
        ),
        # A link of somebody else's: the opt-out lands there.
        (
            {"List_Unsubscribe": "<https://xyz.mjt.lu/unsub2?m=AAAA&b=1&e=2&x=3&hl=EN>"},
            "list-unsubscribe",
            {"message.list-unsubscribe.other"},
        ),
        (
            {"List_Unsubscribe": f"<https://elsewhere.example/optout/one-click/{TOKEN}>"},
            "list-unsubscribe",
            {"message.list-unsubscribe.other"},
        ),
        ({"List_Unsubscribe": f"<{PREFIX}one-click/short>"}, "list-unsubscribe", {"message.list-unsubscribe.other"}),
        ({"List_Unsubscribe_Post": None}, "list-unsubscribe-post", None),
        ({"List_Unsubscribe_Post": "List-Unsubscribe=One-Click, x=y"}, "list-unsubscribe-post", None),
        ({"List_Unsubscribe_Post": "list-unsubscribe=one-click"}, "list-unsubscribe-post", None),
        # RFC 2919, RFC 3834, Feedback-ID.
        ({"List_Id": None}, "list-id", None),
        ({"List_Id": "The beta"}, "list-id", None),
        ({"Auto_Submitted": None}, "auto-submitted", None),
        ({"Auto_Submitted": "no"}, "auto-submitted", None),
        ({"Feedback_ID": "a:b:c:sender"}, "", {"message.feedback-id"}),
        ({"Feedback_ID": "a:b:c:four"}, "", {"message.feedback-id.wrong"}),
        ({"Feedback_ID": "a:sender"}, "", {"message.feedback-id.wrong"}),
        # One recipient.
        ({"To": "a@example.org, b@example.org"}, "recipient", None),
        ({"Cc": "b@example.org"}, "recipient", None),
        ({"To": None}, "recipient", None),
        # RFC 5322 section 2.1.1.
        ({"X_Long": "x" * 1_000}, "", {"message.lines"}),
        ({"Subject": "Jöin us"}, "", {"message.lines"}),
        # What the signature covers: RFC 8058 section 4, RFC 6376 section 5.4, RFC 8301 section 3.1.
        ({"DKIM_Signature": None}, "dkim.covers", {"message.dkim.none"}),
        (
            {"DKIM_Signature": signature(h="From:List-Unsubscribe")},
            "dkim.covers",
            {"message.dkim.uncovered", "message.dkim.leaves-out"},
        ),
        ({"DKIM_Signature": signature(h=SIGNED.replace("From:", ""))}, "dkim.covers", {"message.dkim.uncovered"}),
        (
            {"DKIM_Signature": signature(h="From : List-Unsubscribe :\r\n List-Unsubscribe-Post")},
            "",
            {"message.dkim.leaves-out"},
        ),
        ({"DKIM_Signature": signature(l="10")}, "", {"message.dkim.length"}),
        ({"DKIM_Signature": signature(a="rsa-sha1")}, "", {"message.dkim.sha1"}),
        ({"DKIM_Signature": f"{signature(h='From')}\r\nDKIM-Signature: {signature()}"}, "", set()),
    ],
)
def test_each_line_of_the_standards(changes: dict[str, str | None], lost: str, found: set[str] | None) -> None:
    wanted = FINE - {f"message.{lost}"} | (WRONG[lost] if found is None else found)
    assert looked_at(eml(**changes)) == wanted


def test_whose_list_unsubscribe_it_is_is_named() -> None:
    sample = eml(List_Unsubscribe="<https://xyz.mjt.lu/unsub2?m=AAAA>")
    finding = the(message(Case.of(SETTINGS, message=sample), PREFIX), "message.list-unsubscribe.other")
    assert "Mailjet" in finding.seen


def html(body: str) -> bytes:
    return eml(body, Content_Type="text/html; charset=utf-8")


A = f'<a href="{LINK}">Not Interested?</a>'


@pytest.mark.parametrize(
    "body",
    [
        A,
        f'<p><a href="{LINK}"><b>Not</b> Interested?</a></p>',
        f'<a href="{LINK}"><img src="x.png" alt="Not Interested?"></a>',
        f'<br><div style="color:red">{A}',
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
        f'<div style="font:0/0 a"><div style="font:bold 14px/20px Arial">{A}</div></div>',
        f"\x00{A}",
    ],
)
def test_a_link_that_people_see_is_seen(body: str) -> None:
    assert "message.link.html" in looked_at(html(body))


@pytest.mark.parametrize(
    "body",
    [
        f'<a href="{LINK}"></a>',
        f'<a href="{LINK}"> &nbsp;&zwnj;\u200b</a> Not Interested?',
        f'<a href="{LINK}" style="display:none">Not Interested?</a>',
        f'<div style="Display : None"><p>{A}</p></div>',
        f"<p hidden>{A}</p>",
        f"<!-- {A} -->",
        f'<div style="font-size:0">{A}</div>',
        f'<div style="font-size:1px">{A}</div>',
        f'<div style="font:0/0 a">{A}</div>',
        f'<div style="font-size:20px"><span style="font-size:1%">{A}</span></div>',
        f'<div style="visibility:hidden">{A}</div>',
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
        f'<script>document.write("{LINK}")</script><style>/* {LINK} */</style><template>{A}</template>',
        '<a href="https://elsewhere.example/">Not Interested?</a>',
        "",
    ],
)
def test_a_link_that_nobody_sees_is_not(body: str) -> None:
    assert "message.link.none" in looked_at(html(body))


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
    finding = the(message(Case.of(SETTINGS, message=around(link)), PREFIX), "message.link.tracked")
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
    found = list(message(Case.of(SETTINGS, message=around(link)), PREFIX))
    assert "message.link.html" in ids(found)
    assert name in the(found, "message.scanner").seen


def test_behind_a_scanner_that_says_nothing_nobody_can_tell() -> None:
    found = ids(message(Case.of(SETTINGS, message=around(f"https://protect-eu.mimecast.com/s/{LONG}")), PREFIX))
    assert {"message.scanner", "message.link.unknown"} <= found


def test_html_that_gmail_clips_is_told() -> None:
    assert "message.clipped" in looked_at(html("<p>x</p>" * 13_000 + A))
    assert "message.clipped" not in looked_at(html("<p>x</p>" * 12_000 + A))


@pytest.mark.parametrize(("amp", "id"), [(A, "message.link.amp"), ("<p>Join us</p>", "message.amp.none")])
def test_an_amp_part_shows_the_link_too(amp: str, id: str) -> None:
    parts = (
        f"--x\r\nContent-Type: text/x-amp-html\r\n\r\n{amp}\r\n--x\r\nContent-Type: text/html\r\n\r\n{A}\r\n--x--\r\n"
    )
    found = looked_at(eml(parts, Content_Type='multipart/alternative; boundary="x"'))
    assert {"message.link.html", id} <= found


def test_a_sample_of_many_megabytes_is_read() -> None:
    pdf = base64.encodebytes(b"%PDF" * 2_000_000).decode().replace("\n", "\r\n")
    parts = (
        f"--x\r\nContent-Type: text/plain\r\n\r\nNot for you? {LINK}\r\n"
        f"--x\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{pdf}--x--\r\n"
    )
    assert "message.link.text" in looked_at(eml(parts, Content_Type='multipart/mixed; boundary="x"'))


def test_each_part_shows_the_link() -> None:
    parts = (
        "--x\r\nContent-Type: text/plain\r\n\r\nNo link here.\r\n"
        f'--x\r\nContent-Type: text/html\r\n\r\n<a href="{LINK}">Not Interested?</a>\r\n--x--\r\n'
    )
    found = looked_at(eml(parts, Content_Type='multipart/alternative; boundary="x"'))
    assert {"message.link.none", "message.link.html"} <= found


def test_the_link_of_the_header_does_not_stand_in_the_body() -> None:
    assert "message.link.same" not in looked_at(eml())
    assert "message.link.same" in looked_at(eml(f"Not for you? {OURS}\r\n"))


def test_what_we_send_is_fine_but_for_what_a_server_adds(make: MakeHost, smtp: Mailbox) -> None:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        host.mail.send(host.invitation())
    case = Case.of(host.app.config, message=smtp.received[0].raw)
    assert not_well(message(case, "https://invite.example.org/optout/")) == {
        "message.dkim.none",
        "message.receiver.none",
    }


def test_nothing_personal_is_shown() -> None:
    for finding in message(Case.of(SETTINGS, message=eml("no link", To="jane@x.example, joe@x.example")), PREFIX):
        for text in (finding.seen, finding.why, finding.mend, finding.paste, *finding.details):
            assert "jane" not in text and TOKEN not in text


def test_without_a_sample_the_doctor_says_how_to_get_one() -> None:
    finding = the(message(Case(), None), "message.none")
    assert (finding.severity.value, finding.paste) == ("note", "flask optout doctor --message invitation.eml")


def test_a_sample_tells_the_domains_and_the_selectors() -> None:
    sample = Sample.read(eml())
    assert (sample.author, sample.bounce, sample.selectors) == (
        "example.org",
        "mail.example.org",
        [("s1", "example.org")],
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 1_000,
        b"no headers at all",
        b"Subject: no sender\r\n\r\nbody",
        b"From: a@example.org\r\n" + b"X: y\r\n" * 50_000 + b"\r\nbody",
        b"From: a@example.org\r\n\r\n" + b"x" * 25_000_001,
    ],
)
def test_what_is_no_message_is_said_to_be_none(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        Sample.read(raw)
    assert looked_at(raw) == {"message.unreadable"}

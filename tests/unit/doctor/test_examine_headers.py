"""A sample's headers, line by line of RFC 8058, 2369, 2919 and 3834."""

from __future__ import annotations

import pytest

from flask_optout.doctor.case import Sample
from flask_optout.doctor.examine import check_headers, make_is_ours
from flask_optout.doctor.finding import Finding
from tests.support.findings import ids, the
from tests.support.samples import LINK, OURS, PREFIX, SIGNED, TOKEN, eml

FINE = {
    "message.list-unsubscribe",
    "message.list-unsubscribe-post",
    "message.list-id",
    "message.auto-submitted",
    "message.recipient",
    "message.dkim.covers",
}


def looked_at(**changes: str | None) -> list[Finding]:
    return list(check_headers(Sample.read(eml(**changes)), make_is_ours(PREFIX), lambda url: True))


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
        # A link for people: mail programs post to it, and it opts nobody out.
        ({"List_Unsubscribe": f"<{LINK}>"}, "list-unsubscribe", {"message.list-unsubscribe.landing"}),
        ({"List_Unsubscribe": f"<{OURS}> <mailto:stop@example.org>"}, "list-unsubscribe", None),
        ({"List_Unsubscribe_Post": None}, "list-unsubscribe-post", None),
        ({"List_Unsubscribe_Post": "List-Unsubscribe=One-Click, x=y"}, "list-unsubscribe-post", None),
        ({"List_Unsubscribe_Post": "list-unsubscribe=one-click"}, "list-unsubscribe-post", None),
        # RFC 2919, RFC 3834, Feedback-ID.
        ({"List_Id": None}, "list-id", None),
        ({"List_Id": "The beta"}, "list-id", None),
        ({"Auto_Submitted": None}, "auto-submitted", None),
        ({"Auto_Submitted": "no"}, "auto-submitted", None),
        ({"Auto_Submitted": "auto-generatedx"}, "auto-submitted", None),
        ({"Auto_Submitted": "Auto-Generated (job)"}, "", set()),
        ({"Feedback_ID": "a:b:c:sender"}, "", {"message.feedback-id"}),
        ({"Feedback_ID": "a:b:c:four"}, "", {"message.feedback-id.wrong"}),
        ({"Feedback_ID": "a:sender"}, "", {"message.feedback-id.wrong"}),
        # One recipient.
        ({"To": "a@example.org, b@example.org"}, "recipient", None),
        ({"Cc": "b@example.org"}, "recipient", None),
        ({"To": None}, "recipient", None),
        # An address is a name, too, in Outlook and in Apple Mail.
        ({"To": "jane@example.org <jane@example.org>"}, "", set()),
        ({"To": "'jane@example.org' <jane@example.org>", "Cc": ""}, "", set()),
        ({"To": '"Doe, Jane, jane@work.example" <jane@example.org>'}, "", set()),
        ({"To": "jane@example.org (Doe, Jane)"}, "", set()),
        ({"To": "jane@example.org <jane@example.org>, joe@example.org"}, "recipient", None),
        # RFC 5322 section 2.1.1.
        ({"X_Long": "x" * 1_000}, "", {"message.lines"}),
        ({"Subject": "Jöin us"}, "", {"message.lines"}),
        # Microsoft adds lines of thousands of octets where it receives a message.
        ({"X_Microsoft_Antispam_Message_Info": "x" * 3_000}, "", set()),
        ({"X_MS_Exchange_AntiSpam_MessageData_0": "\r\n\t" + "x" * 3_000}, "", set()),
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
    assert ids(looked_at(**changes)) == wanted


def test_whose_list_unsubscribe_it_is_is_named() -> None:
    found = looked_at(List_Unsubscribe="<https://xyz.mjt.lu/unsub2?m=AAAA>")
    assert "Mailjet" in the(found, "message.list-unsubscribe.other").seen


def test_a_provider_is_known_by_the_paths_of_a_customers_own_host() -> None:
    found = looked_at(List_Unsubscribe="<https://email.mg.example.org/u/eJwNykEK>, <mailto:u@mg.example.org>")
    assert "Mailgun" in the(found, "message.list-unsubscribe.other").seen


def test_a_link_of_another_key_is_told_apart() -> None:
    found = check_headers(Sample.read(eml()), make_is_ours(PREFIX), lambda url: False)
    assert "message.list-unsubscribe.other-key" in ids(found)

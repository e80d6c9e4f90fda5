"""What a file is, by what its columns mean: nobody who did not opt out is taken for somebody who did."""

from __future__ import annotations

import io

import pytest

from flask_optout import ListError
from flask_optout.importing.columns import Meaning
from flask_optout.importing.lists import MuteList, MuteRow

OUT, NOT, UNCLEAR, BOUNCE = "opted out", Meaning.NO_OPT_OUT, Meaning.UNCLEAR, Meaning.BOUNCE


def said(data: str, **how: str) -> list[str]:
    """What each row was taken for."""
    rows = MuteList(io.BytesIO(data.encode()), "beta-42", **how)
    return [OUT if isinstance(row, MuteRow) else row.reason for row in rows]


FILES = {
    "subscribers of Mailchimp, renamed": ("Email,First Name,LEID,EUID\na@x.org,Ann,1,2\n", [NOT]),
    "subscribers with the day they joined": ("email,optin_time\na@x.org,2024-01-01\n", [NOT]),
    "consents": ("email,accepts email marketing\na@x.org,yes\nb@x.org,no\n", [NOT, UNCLEAR]),
    "bounces of Mailgun": ("address,code,error,created_at\na@x.org,550,no such user,2024-01-01\n", [BOUNCE]),
    "bounces of SendGrid": ("status,reason,email,created\n5.1.1,550 unknown,a@x.org,1443651125\n", [BOUNCE]),
    "blocks with words alone": ("email,status,reason\na@x.org,,policy\n", [UNCLEAR]),
    "status": (
        "email,status\na@x.org,unsubscribed\nb@x.org,Subscribed\nc@x.org,bounced\nd@x.org,zzz\ne@x.org,\n",
        [OUT, NOT, BOUNCE, UNCLEAR, UNCLEAR],
    ),
    "unsubscribed": (
        "email,Unsubscribed?\na@x.org,TRUE\nb@x.org,false\nc@x.org,2024-01-01\nd@x.org,\ne@x.org,perhaps\n",
        [OUT, NOT, OUT, NOT, UNCLEAR],
    ),
    "Brevo": ("EMAIL,EMAIL_BLACKLISTED\na@x.org,Yes\nb@x.org,No\n", [OUT, NOT]),
    "Salesforce": ("Email,HasOptedOutOfEmail\na@x.org,1\nb@x.org,0\n", [OUT, NOT]),
    "Constant Contact": (
        "Email address,Email permission status\na@x.org,Unsubscribed\nb@x.org,Implicit\n",
        [OUT, NOT],
    ),
    "Klaviyo": (
        "Email,Email Marketing Consent\na@x.org,UNSUBSCRIBED\nb@x.org,NEVER_SUBSCRIBED\nc@x.org,SUBSCRIBED\n",
        [OUT, NOT, NOT],
    ),
    "SES": ("EmailAddress,Reason\na@x.org,COMPLAINT\nb@x.org,BOUNCE\n", [OUT, BOUNCE]),
    "a link to unsubscribe": ("email,unsubscribe_url\na@x.org,https://x.org/u\n", [OUT]),
    "a state of a postal address": ("email,state\na@x.org,CA\n", [OUT]),
    "a candidate's own words": ("email,reason\na@x.org,too many mails\n", [OUT]),
    "days of an opt-out and of a subscription": (
        "email,OPTIN_TIME,OPTIN_IP,UNSUB_TIME\na@x.org,2020-01-01,5.6.7.8,2021-01-01\nb@x.org,2020-01-01,5.6.7.8,\n",
        [OUT, NOT],
    ),
    "nothing but addresses": ("email,name\na@x.org,Ann\n", [OUT]),
}


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_says(name: str) -> None:
    data, expected = FILES[name]
    assert said(data) == expected


def test_as_a_list_every_row_counts() -> None:
    assert said("email,status\na@x.org,enabled\n", format="list") == [OUT]


def test_as_an_export_a_file_must_say_who_opted_out() -> None:
    assert said("email,status\na@x.org,enabled\n", format="export") == [NOT]
    with pytest.raises(ListError, match="No column says who opted out"):
        said("email,name\na@x.org,Ann\n", format="export")

"""What a file is, by what its columns mean: nobody who did not opt out is taken for somebody who did."""

from __future__ import annotations

import io
import time
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from flask_optout import ListError
from flask_optout.importing import columns
from flask_optout.importing.columns import Meaning
from flask_optout.importing.lists import MuteList, MuteRow

OUT, NOT, UNCLEAR, BOUNCE = "opted out", Meaning.NO_OPT_OUT, Meaning.UNCLEAR, Meaning.BOUNCE
OTHER_WAY, OPPOSITE = Meaning.OTHER_WAY, Meaning.OPPOSITE


def said(data: str, written: str = "utf-8", **how: str) -> list[str]:
    """What each row was taken for."""
    rows = MuteList(io.BytesIO(data.encode(written)), "beta-42", **how)
    return [OUT if isinstance(row, MuteRow) else row.reason for row in rows]


FILES = {
    "subscribers of Mailchimp, renamed": ("Email,First Name,LEID,EUID\na@x.org,Ann,1,2\n", [NOT]),
    "subscribers of Mailchimp, most columns cut": ("Email,TIMEZONE,LAST_CHANGED\na@x.org,CET,2024-01-01\n", [NOT]),
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
    "opt-outs of another way than mail": (
        "EMAIL,EMAIL_BLACKLISTED,SMS_BLACKLISTED\na@x.org,No,Yes\nb@x.org,Yes,No\n",
        [NOT, OUT],
    ),
    "opt-outs of fax and phone": ("Email,HasOptedOutOfEmail,HasOptedOutOfFax,DoNotCall\na@x.org,0,1,1\n", [NOT]),
    "a status of another way": ("Email,Email status,SMS status\na@x.org,subscribed,unsubscribed\n", [NOT]),
    "numbers like those of a mail server": ("email,group_id,points\na@x.org,512,450\n", [OUT]),
    "where an event is, and until when one may leave it": (
        "E-Mail;Austragungsort;Abmeldefrist;Angemeldet am\na@x.org;Halle 2;1.2.2024;1.1.2024\n",
        [NOT],
    ),
    "a row for each way": (
        "email,channel,status\na@x.org,sms,opted_out\na@x.org,email,opted_out\nb@x.org,Email and SMS,opted_out\n",
        [OTHER_WAY, OUT, OUT],
    ),
    "consents that were withdrawn": ("email,consent_withdrawn_at\na@x.org,2024-01-01\nb@x.org,\n", [OUT, NOT]),
    "letters and marks": ("email,unsubscribed\na@x.org,✓\nb@x.org,☐\nc@x.org,J\nd@x.org,N\n", [OUT, NOT, OUT, NOT]),
    "dates that are none": (
        "email,unsubscribed_at\na@x.org,0000-00-00 00:00:00\nb@x.org,0001-01-01T00:00:00Z\nc@x.org,1970-01-01\n"
        "d@x.org,NULL\ne@x.org,\\N\nf@x.org,2021-01-01 00:00:00\n",
        [NOT, NOT, NOT, NOT, NOT, OUT],
    ),
    "numbers that are none": (
        "email,complaints\na@x.org,0.0\nb@x.org,00\nc@x.org,[]\nd@x.org,1\n",
        [NOT, NOT, NOT, OUT],
    ),
    "a key for unsubscribing": ("email,unsubscribe_key,status\na@x.org,abc123,active\n", [NOT]),
    "names of the opposite": (
        "email,not_opted_out,Never unsubscribed\na@x.org,yes,yes\nb@x.org,no,no\n",
        [OPPOSITE, UNCLEAR],
    ),
    "suppressed as a bounce": (
        "EmailAddress,SuppressionReason,Date,State\na@x.org,Unsubscribed,2024,Suppressed\n"
        "b@x.org,Bounced,2024,Suppressed\nc@x.org,,2024,Suppressed\n",
        [OUT, BOUNCE, OUT],
    ),
    "CleverReach": (
        "email;activated;deactivated;registered\na@x.org;2020-01-01;;2020-01-01\nb@x.org;2020-01-01;2021-01-01;2020\n",
        [NOT, UNCLEAR],
    ),
    "SendGrid's invalid addresses": (
        "reason,email,created\nMail domain mentioned in email address is unknown,a@x.org,1443651125\n",
        [BOUNCE],
    ),
    "Sendy": (
        "Name,Email,Status\nA,a@x.org,Unsubscribed\nB,b@x.org,Marked as spam\nC,c@x.org,Soft bounced\n",
        [OUT, OUT, BOUNCE],
    ),
    "Brevo's reasons": (
        "email,reason\na@x.org,unsubscribedViaEmail\nb@x.org,hardBounce\nc@x.org,adminBlocked\n",
        [OUT, BOUNCE, UNCLEAR],
    ),
    "states without names": ("a@x.org,subscribed\nb@x.org,unsubscribed\n", [NOT, OUT]),
    "German": ("E-Mail;Abgemeldet am;Status\na@x.org;;angemeldet\nb@x.org;01.02.2024;abgemeldet\n", [NOT, OUT]),
    "Excel in Swedish, Finnish and Hungarian": (
        "email;unsubscribed\na@x.org;SANT\nb@x.org;FALSKT\nc@x.org;TOSI\nd@x.org;EPÄTOSI\ne@x.org;IGAZ\nf@x.org;HAMIS\n",
        [OUT, NOT, OUT, NOT, OUT, NOT],
    ),
    "German cells of Excel": ("E-Mail;Unsubscribed\na@x.org;WAHR\nb@x.org;FALSCH\n", [OUT, NOT]),
    "French": ("Courriel;Désabonné\na@x.org;oui\nb@x.org;non\n", [OUT, NOT]),
    "French states": ("E-mail;Statut\na@x.org;Désinscrit\nb@x.org;Inscrit\n", [OUT, NOT]),
    "Spanish": ("Correo electrónico;Dado de baja\na@x.org;Sí\nb@x.org;No\n", [OUT, NOT]),
    "Portuguese": ("E-mail;Descadastrado\na@x.org;sim\nb@x.org;não\n", [OUT, NOT]),
    "Japanese": ("メール,配信停止\na@x.org,はい\nb@x.org,いいえ\n", [OUT, NOT]),
    "Arabic": ("البريد الإلكتروني,الحالة\na@x.org,ملغى\nb@x.org,مشترك\n", [OUT, NOT]),
    "Russian": ("Почта;Статус\na@x.org;отписан\nb@x.org;подписан\nc@x.org;другое\n", [OUT, NOT, UNCLEAR]),
    "Italian": ("E-mail;Stato\na@x.org;Disiscritto\nb@x.org;Iscritto\n", [OUT, NOT]),
    "opens and clicks of Salesforce Marketing Cloud": (
        "SubscriberKey,EmailAddress,EventDate,EventType\nk1,a@x.org,1/1/2024,Open\nk2,b@x.org,1/1/2024,Click\n",
        [UNCLEAR, UNCLEAR],
    ),
    "events of Mailgun": ("event,recipient\ndelivered,a@x.org\nopened,b@x.org\n", [UNCLEAR, UNCLEAR]),
    "Kit": ("email,state\na@x.org,cancelled\nb@x.org,inactive\nc@x.org,active\n", [UNCLEAR, UNCLEAR, NOT]),
    "cancelled, in a column that may be of a postal address": ("email,state\na@x.org,cancelled\n", [UNCLEAR]),
    "logs of Brevo": ("st_text,email\nUnsubscribed,a@x.org\nDelivered,b@x.org\n", [OUT, UNCLEAR]),
    "suppressions of Klaviyo": (
        "Email,Email Suppressions\na@x.org,\"[{'reason': 'HARD_BOUNCE', 'timestamp': '2024-01-01'}]\"\n"
        "b@x.org,\"[{'reason': 'USER_SUPPRESSED', 'timestamp': '2024-01-01'}]\"\nc@x.org,[]\n",
        [BOUNCE, OUT, NOT],
    ),
    "suppressions of SparkPost": (
        "recipient,type,source\na@x.org,non_transactional,Unsubscribe Link\nb@x.org,transactional,Bounce Rule\n",
        [OUT, BOUNCE],
    ),
    "candidates who withdrew an application": ("email,status\na@x.org,Withdrawn\nb@x.org,Active\n", [UNCLEAR, NOT]),
    "no longer subscribed": ("email,no_longer_subscribed\na@x.org,yes\nb@x.org,no\n", [OUT, NOT]),
    "not subscribed": ("email,not subscribed\na@x.org,yes\nb@x.org,no\n", [UNCLEAR, NOT]),
    "subscriptions that ended": ("email,subscription_ended_at\na@x.org,2024-01-01\nb@x.org,\n", [UNCLEAR, NOT]),
    "consents that were denied": ("email,denied consent\na@x.org,yes\nb@x.org,no\n", [UNCLEAR, NOT]),
    "not opted in": ("email,not_opted_in\na@x.org,yes\nb@x.org,no\n", [UNCLEAR, NOT]),
    "a subscription's end in Russian": ("Почта;Дата отмены подписки\na@x.org;01.02.2024\nb@x.org;\n", [UNCLEAR, NOT]),
    "the day of zero in several zones": (
        "email,unsubscribed_at\na@x.org,1970-01-01 01:00:00\nb@x.org,12/31/1969 19:00\nc@x.org,1/0/1900\n"
        'd@x.org,NaT\ne@x.org,\'0\nf@x.org,—\ng@x.org,"Mon, 06 May 2024 19:00:58 +0000"\nh@x.org,2024-01-01 1900\n',
        [NOT, NOT, NOT, NOT, NOT, NOT, OUT, OUT],
    ),
    "numbers of other scripts": ("email,unsubscribed\na@x.org,０\nb@x.org,１\nc@x.org,٠\n", [UNCLEAR, OUT, UNCLEAR]),
    "a long note": (f"email,unsubscribed\na@x.org,{'a' * 30_000}1{'b' * 30_000}\n", [OUT]),
    "a delimiter in a note, without quotes": (
        "email,note,unsubscribed\na@x.org,hello, yes,no\nb@x.org,hello,yes,,\n",
        [UNCLEAR, OUT],
    ),
    "a cell too many behind those that count": ("email,status,note\na@x.org,unsubscribed,hello, yes\n", [OUT]),
    "a day that is not known of everybody": ("email,date\na@x.org,2024-01-01\nb@x.org\n", [OUT, OUT]),
    "Russian, and first somebody without an address": (
        "Почта;Статус;Роль\n;подписан;user\na@x.org;отписан;user\n",
        [NOT, OUT],
    ),
    "Dynamics 365, where mail is on paper": (
        "Email,Do not allow Bulk Emails,Do not allow Mails\na@x.org,Do Not Allow,Allow\nb@x.org,Allow,Allow\n"
        "c@x.org,Allow,Do Not Allow\n",
        [OUT, NOT, UNCLEAR],
    ),
    "CiviCRM, where mail is on paper": (
        "Email,Do Not Email,Do Not Mail,No Bulk Emails (User Opt Out)\na@x.org,No,Yes,No\nb@x.org,No,No,Yes\n",
        [UNCLEAR, OUT],
    ),
    "Mailtrap": (
        "email,type\na@x.org,unsubscription\nb@x.org,hard bounce\nc@x.org,spam complaint\n",
        [OUT, BOUNCE, OUT],
    ),
    "LimeSurvey": ("email,emailstatus,token\na@x.org,OptOut,abc\nb@x.org,OK,def\n", [OUT, NOT]),
    "a note that comes late": ("email,reason\n" + "a@x.org,\n" * 300 + "b@x.org,too many mails\n", [OUT] * 301),
    "what pandas writes for a blank": ("email,company,city\na@x.org,nan,None\nb@x.org,Acme,nan\n", [OUT, OUT]),
    "other words for unsubscribing": (
        "E-Mail;Abonniert seit;Abbestellt am\na@x.org;1.1.2020;1.2.2024\nb@x.org;1.1.2020;\n",
        [OUT, NOT],
    ),
    "Polish": ("E-mail;Stan\na@x.org;wypisany\nb@x.org;zapisany\n", [OUT, NOT]),
    "Korean": ("이메일,수신거부\na@x.org,예\nb@x.org,아니요\n", [OUT, NOT]),
    "Turkish": ("E-posta;Abonelikten çıktı\na@x.org;evet\nb@x.org;hayır\n", [OUT, NOT]),
    "Turkish, of mail": ("E-posta;E-posta aboneliğinden çıktı\na@x.org;evet\nb@x.org;hayır\n", [OUT, NOT]),
    "UTF-8 that was read as Windows-1252": ("Courriel;DÃ©sinscrit le\na@x.org;01/02/2024\nb@x.org;\n", [OUT, NOT]),
    "letters that were lost": ("Courriel;D\ufffdsinscrit le\na@x.org;01/02/2024\nb@x.org;\n", [UNCLEAR, NOT]),
    "letters that became question marks": ("Courriel;D?sabonn?\na@x.org;oui\nb@x.org;non\n", [UNCLEAR, NOT]),
    "a country and a note": ("email,country_region,note\na@x.org,NO,yes\n", [OUT]),
    "numbers of phones, as sheets store them": ("email,Phone\na@x.org,1012345678\nb@x.org,\n", [OUT, OUT]),
    "nothing but addresses": ("email,name\na@x.org,Ann\n", [OUT]),
    "columns of candidates": (
        "Candidate Email,Candidate Status,Candidate Opted Out\na@x.org,Active,Yes\nb@x.org,Active,No\n",
        [OUT, NOT],
    ),
    "days of candidates": (
        "Candidate Email,Candidate Unsubscribed On\na@x.org,5 Jan 2024\nb@x.org,\n",
        [OUT, NOT],
    ),
    "candidates in French": ("E-mail,Candidat désabonné\na@x.org,oui\nb@x.org,non\n", [OUT, NOT]),
    "opting out": ("email,Opting out\na@x.org,yes\nb@x.org,no\n", [OUT, NOT]),
    "days of opting out": ("email,Opting-out date\na@x.org,2024-01-05\nb@x.org,\n", [OUT, NOT]),
    "the state of opting out": ("email,status\na@x.org,Opting out\nb@x.org,Opted in\n", [OUT, NOT]),
    "not opting out": ("email,not opting out\na@x.org,yes\nb@x.org,no\n", [OPPOSITE, UNCLEAR]),
    "opting in": ("email,opting in\na@x.org,yes\nb@x.org,no\n", [NOT, UNCLEAR]),
    "people who came back": (
        "email,status,unsubscribed_at,resubscribed_at\na@x.org,,2024-01-01,2024-02-01\nb@x.org,,2024-01-01,\n"
        "c@x.org,,,2024-02-01\nd@x.org,Resubscribed,2024-01-01,\ne@x.org,Resubscribed,,\n",
        [UNCLEAR, OUT, OPPOSITE, UNCLEAR, OPPOSITE],
    ),
    "changes of a status": (
        "EmailAddress,OldStatus,NewStatus\na@x.org,Unsubscribed,Active\nb@x.org,Active,Unsubscribed\n",
        [NOT, OUT],
    ),
    "quotes of another kind of CSV": (
        'name,email,unsubscribed\n"Jane \\"JJ\\", Doe",a@x.org,no\nBob,b@x.org,\nKim,c@x.org,yes\n',
        [UNCLEAR, NOT, OUT],
    ),
    "Freshsales": (
        "Email,Subscription status,Do not disturb\na@x.org,Unsubscribed,false\nb@x.org,Subscribed,true\n",
        [OUT, UNCLEAR],
    ),
    "answers to an invitation": (
        "email,status\na@x.org,Declined\nb@x.org,Not interested\nc@x.org,Accepted\nd@x.org,Unsubscribed\n",
        [UNCLEAR, UNCLEAR, UNCLEAR, OUT],
    ),
    "Mailjet, where contacts are excluded": (
        "email,excluded,unsubscribed_at\na@x.org,true,\nb@x.org,false,\nc@x.org,false,2024-01-01\n",
        [UNCLEAR, NOT, OUT],
    ),
    "a word in a column that nothing is known of": (
        "email,subscribed_at,tags\na@x.org,2024-01-01,vip\nb@x.org,2024-01-01,unsubscribed\n"
        "c@x.org,2024-01-01,vip;unsubscribed\n",
        [NOT, UNCLEAR, UNCLEAR],
    ),
    "a word that comes late": (
        "email,subscribed_at,about\n" + "a@x.org,2024-01-01,\n" * 300 + "b@x.org,2024-01-01,Unsubscribed\n",
        [NOT] * 300 + [UNCLEAR],
    ),
    "an address that was confirmed": (
        "Email,Confirm email,Confirmation number\na1@x.org,a1@x.org,4711\nb@x.org,b@x.org,4712\n",
        [OUT, OUT],
    ),
    "rows with another delimiter than the names": ("email,unsubscribed\na@x.org;yes\nb@x.org;no\n", [UNCLEAR] * 2),
    "rows of a database with a line of names": (
        "COPY people (email, unsubscribed) FROM stdin;\na@x.org\tt\n",
        [UNCLEAR],
    ),
    "marks as phones write them": ("email,unsubscribed\na@x.org,✔\ufe0f\nb@x.org,✖\ufe0f\n", [OUT, NOT]),
    "SAS": ("email,unsubscribed_at\na@x.org,05JAN2024:10:30:00\nb@x.org,.\n", [OUT, NOT]),
    "an account that is disabled": (
        "email,Email status,Account status\na@x.org,subscribed,disabled\nb@x.org,unsubscribed,disabled\n",
        [UNCLEAR, OUT],
    ),
    "an order that is disabled": ("email,order_status,unsubscribed\na@x.org,disabled,no\n", [UNCLEAR]),
    "listmonk, which sends to the disabled": (
        "email,status\na@x.org,disabled\nb@x.org,blocklisted\n",
        [UNCLEAR, OUT],
    ),
    "a channel by which people came": (
        "email,channel,unsubscribed\na@x.org,Mobile app,yes\nb@x.org,Careers page,yes\nc@x.org,Phone,no\n",
        [OTHER_WAY, OUT, OTHER_WAY],
    ),
    "a channel on paper": (
        "email,channel,status\na@x.org,Direct Mail,unsubscribed\nb@x.org,Voicemail,unsubscribed\n"
        "c@x.org,E-mail,unsubscribed\nd@x.org,Почта и СМС,unsubscribed\n",
        [OTHER_WAY, OTHER_WAY, OUT, OUT],
    ),
    "opt-outs of two ways": (
        "email,status,Opted out of email and SMS\na@x.org,active,yes\nb@x.org,active,no\n",
        [OUT, NOT],
    ),
    "opt-outs of campaigns": (
        "email,status,Unsubscribed from campaigns\na@x.org,active,yes\nb@x.org,active,no\n",
        [OUT, NOT],
    ),
    "HubSpot, of two kinds of mail": (
        "Email,Opted out of email: Sales,Opted out of email: Tracking\na@x.org,true,\nb@x.org,,true\nc@x.org,,\n",
        [OUT, OUT, NOT],
    ),
    "French, of reminders": ("E-mail;Désabonné des rappels\na@x.org;oui\nb@x.org;non\n", [OUT, NOT]),
    "French, as unwanted mail": ("E-mail;Spam (courrier indésirable)\na@x.org;oui\nb@x.org;non\n", [OUT, NOT]),
    "Korean, other words": ("이메일,수신거부\na@x.org,네\nb@x.org,아니오\n", [OUT, NOT]),
    "Swedish": ("E-post;Avregistrerad\na@x.org;ja\nb@x.org;nej\n", [OUT, NOT]),
    "Norwegian": ("E-post;Avmeldt\na@x.org;ja\nb@x.org;nei\n", [OUT, NOT]),
    "a circular letter in German": ("E-Mail;Abgemeldet vom Rundbrief\na@x.org;ja\nb@x.org;nein\n", [OUT, NOT]),
    "answers in Greek": ("email;unsubscribed\na@x.org;ΝΑΙ\nb@x.org;όχι\n", [OUT, NOT]),
    "answers in Finnish": ("email;unsubscribed\na@x.org;kyllä\nb@x.org;ei\n", [OUT, NOT]),
    "answers in Romanian": ("email;Dezabonat\na@x.org;da\nb@x.org;nu\n", [OUT, NOT]),
    "answers in Japanese": ("メール,配信停止\na@x.org,あり\nb@x.org,なし\n", [OUT, NOT]),
}


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_says(name: str) -> None:
    data, expected = FILES[name]
    assert said(data) == expected


@pytest.mark.parametrize(
    "name",
    [
        "Opposition au démarchage téléphonique",
        "Opposition appels",
        "Opposition courrier",
        "Werbewiderspruch Post",
        "Werbewiderspruch Anrufe",
        "Afgemeld telefoon",
        "Baja llamadas",
        "Descadastrado de ligações",
        "電話拒否",
        "郵送停止",
        "短信退订",
        "Отписан от звонков",
        "Отписан от СМС",
        "문자 수신거부",
        "전화 수신거부",
        "voicemail_opt_out",
        "telegram_unsubscribed",
        "Messenger opt-out",
        "SMS opt-out",
        "Direct mail opt-out",
        "Tracking opt-out",
        "Cookie opt-out",
        "Email tracking opt-out",
        "Data sale opt out",
        "Opted out of sale",
        "CCPA opt-out",
        "Landed in spam",
        "can_unsubscribe",
    ],
)
def test_an_opt_out_of_something_else_than_mail_is_none(name: str) -> None:
    assert said(f"email,status,{name}\na@x.org,subscribed,yes\n") == [NOT]


FRENCH = "Courriel;Désinscrit le\na@x.org;01/02/2024\nb@x.org;\n"


@pytest.mark.parametrize(
    ("data", "written", "expected"),
    [
        (FRENCH, "cp1252", [OUT, NOT]),
        (FRENCH, "mac_roman", [UNCLEAR, NOT]),
        ("Courriel;Statut\na@x.org;Désabonné\nb@x.org;Abonné\n", "cp1252", [OUT, NOT]),
        ("email;status\na@x.org;отписан\nb@x.org;подписан\n", "cp1251", [UNCLEAR, UNCLEAR]),
        ("E-mail;Prénom;Straße\na@x.org;Zoé;Grüne Straße\n", "cp1252", [OUT]),
        ("email;name\na@x.org;Иванов\n", "cp1251", [OUT]),
    ],
)
def test_columns_of_another_encoding_are_not_taken_for_what_they_are_not(
    data: str, written: str, expected: list[str]
) -> None:
    assert said(data, written) == expected


@pytest.mark.parametrize(
    ("data", "written"),
    [
        ("Почта;Статус\na@x.org;отписан\nb@x.org;подписан\n", "cp1251"),
        ("Почта;Статус\na@x.org;отписан\nb@x.org;подписан\n", "koi8-r"),
        ("メール,配信停止\na@x.org,はい\nb@x.org,いいえ\n", "shift_jis"),
        ("邮箱,状态\na@x.org,已退订\nb@x.org,已订阅\n", "gbk"),
        ("a@x.org;отписан\nb@x.org;подписан\n", "cp1251"),
    ],
)
def test_an_encoding_of_another_script_has_to_be_named(data: str, written: str) -> None:
    with pytest.raises(ListError, match=r"column 2 says who opted out.*--encoding"):
        said(data, written)
    assert said(data, written, encoding=written) == [OUT, NOT]
    assert said(data, written, format="list") == [OUT, OUT]


def test_as_a_list_every_row_counts() -> None:
    assert said("email,status\na@x.org,enabled\n", format="list") == [OUT]


def test_as_an_export_a_file_must_say_who_opted_out() -> None:
    assert said("email,status\na@x.org,enabled\n", format="export") == [NOT]
    with pytest.raises(ListError, match="No column says who opted out"):
        said("email,name\na@x.org,Ann\n", format="export")


@pytest.mark.parametrize(
    "data",
    [
        "email,newsletter\na@x.org,yes\nb@x.org,no\n",
        "email,active\na@x.org,1\n",
        "email,account_active\na@x.org,true\n",
        "email,is_valid\na@x.org,true\n",
        "email,is_blocked\na@x.org,0\n",
        "email,SMS opt-out\na@x.org,no\n",
        "E-Mail;Nachrichten\na@x.org;ja\nb@x.org;nein\n",
        "E-Mail;Nachrichten\na@x.org;J\nb@x.org;N\n",
        "email,news\na@x.org,✓\nb@x.org,\n",
        "email;рассылка\na@x.org;да\nb@x.org;нет\n",
        "a@x.org,false\n",
        "email,reason\n" + "a@x.org,\n" * 300 + "b@x.org,Bounced\n",
        "E-Mail;Raus\n" + "a@x.org;\n" * 300 + "b@x.org;01.02.2024\n",
        "email,RSVP\na@x.org,Not going\n",
        "email,frequency\na@x.org,never\nb@x.org,weekly\n",
        "email,can_unsubscribe\na@x.org,true\n",
        "email,type\n" + "a@x.org,Customer\n" * 300 + "b@x.org,Unsubscribed\n",
        'email,further invitations\na@x.org,"Yes, please"\nb@x.org,No thanks\n',
        "Email Address,What shall we do?\na@x.org,Keep me on the list\nb@x.org,Remove me\n",
        "email,raus\na@x.org,√\nb@x.org,\n",
        "email,raus\na@x.org,✔\ufe0f\nb@x.org,-\n",
        "email,参加\na@x.org,○\nb@x.org,×\n",
        "Email Address,Date Deleted\na@x.org,2024-01-01\n",
        "email,Answer\na@x.org,count me in\nb@x.org,rather not\n",
        "email,about\na@x.org,Not interested\nb@x.org,Very much so\n",
        "email,unsubscribe_allowed\na@x.org,true\n",
        "email,tags\na@x.org,vip\nb@x.org,vip;unsubscribed\n",
        'email,tags\na@x.org,"[""vip""]"\nb@x.org,"[""vip"", ""unsubscribed""]"\n',
        "email,group\na@x.org,Customers\nb@x.org,Unsubscribers\n",
        "Email,Removed on\na@x.org,2024-01-01\n",
        "email,Left\na@x.org,05JAN2024\nb@x.org,.\n",
        "email,Opens\na@x.org,3\n",
        "email,last_click_date\na@x.org,2024-01-01\n",
        "E-Mail;Raus\na@x.org;01.02.2024\nb@x.org;\n",
        "email,text\na@x.org,Unsubscribed\nb@x.org,First opening\n",
        "Email,Attendee Status\na@x.org,Attending\n",
        "Email,Marketing contact status\na@x.org,Marketing contact\n",
        "email,Left\n" + "a@x.org,2024-01-05\n" * 250 + "b@x.org,\n",
        "email,Left\n" + "a@x.org,2024-01-05\n" * 250 + "b@x.org,NULL\n",
        "email,Left\na@x.org,2024-01-05\nb@x.org,NULL\n",
        "email,Left\na@x.org,2024-01-05\nb@x.org,0000-00-00\n",
        *[
            f'email,Left\na@x.org,"{day}"\nb@x.org,\n'
            for day in (
                "Jan 5, 2023",
                "January 5th, 2023",
                "5 Jan 2023",
                "5. Januar 2023",
                "5 de enero de 2023",
                "Thu, 5 Jan 2023 10:00:00 +0000",
                "Thursday, January 5, 2023",
                "Thu Jan 5 10:00:00 2023",
                "5 января 2023",
                "05-JAN-23",
                "5-Jan-2023",
                "2023年1月5日",
                "1704067200",
                "1704067200000",
                "20240105",
                "20240105T101010Z",
                "05JAN2024",
                "5-Jan",
                "05. Jan",
                "Jan 24",
                "janv-24",
            )
        ],
    ],
)
def test_a_column_that_may_say_who_opted_out_is_asked_about(data: str) -> None:
    with pytest.raises(ListError, match=r"column 2 says who opted out.*add --format list"):
        said(data)
    assert set(said(data, format="list")) == {OUT}


@pytest.mark.parametrize(
    "cells",
    [
        ("Main Street 12, 8000 Zurich", ""),
        ("19991342", ""),  # a number of a customer, as no day has the month 13
        ("1704067", ""),
        ("2024-01-05", "2024-01-06"),
        ("1 Main Street", "2 Main Street"),
        ("1.5", "0.5"),
    ],
    ids=str,
)
def test_what_are_no_days_for_some_people_says_nothing(cells: tuple[str, str]) -> None:
    assert said('email,about\na@x.org,"{}"\nb@x.org,"{}"\n'.format(*cells)) == [OUT, OUT]


@pytest.mark.parametrize(
    "data",
    [
        "email,note,status\na@x.org," + "＠" * 40_000 + ",unsubscribed\n",
        "email,note,status\na@x.org," + "a@." * 15_000 + ",unsubscribed\n",
        "email,status\na" + "’" * 40_000 + "a@x.org,unsubscribed\n",
        "email,status," + "end" * 20_000 + "\na@x.org,unsubscribed,\n",
        "email,status," + "unsub" * 12_000 + "\na@x.org,unsubscribed,\n",
        "email,status,note\na@x.org,unsubscribed," + "1 a " * 10_000 + "\n",
    ],
    ids=lambda data: data[:40],
)
def test_no_line_takes_long(data: str) -> None:
    start = time.process_time()
    said(data)
    assert time.process_time() - start < 1


def test_no_word_stands_twice() -> None:
    texts = tomllib.loads(Path(columns.__file__).with_name("words.toml").read_text("utf-8"))["words"]
    words = [columns._normalize(word) for listed in texts.values() for word in listed.split()]
    assert [word for word, count in Counter(words).items() if count > 1] == []

"""An operator finds invitations, by what they type and by filters, which can be saved."""

from __future__ import annotations

import datetime
import html
import re

import pytest
from flask.testing import FlaskClient

from flask_optout.email_log.records import LARGEST_ID, id_at, now
from tests.conftest import MakeHost
from tests.support.email_log import LOG, number_rows, post, read_until, sent
from tests.support.hosts import Host


def test_the_list_says_what_to_do_when_it_is_empty(client: FlaskClient) -> None:
    assert "Send one to see it." in client.get(LOG).text
    assert "Type less of the address" in client.get(f"{LOG}?q=jane@example.org").text


def listed(text: str) -> set[str]:
    """The local parts of the recipients in a list."""
    return set(re.findall(r"<td>(?:<span>[^<]*</span> <small>)?(\w+)@", text))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"jane", "bob"}),
        ("q=JANE@Example.org", {"jane"}),
        ("q=jane%40example.org&opportunity=study-7", set()),
        ("q=ane%40exam", {"jane"}),
        ("q=jane%40example.o", {"jane"}),
        ("q=Doe", {"jane"}),
        ("q=%40example.org", {"jane"}),
        ("q=%40other.example", {"bob"}),
        ("q=%40oth", {"bob"}),
        ("q=@other.example&opportunity=beta-42", set()),
        ("q=sleep", {"bob"}),
        ("q=study-7", {"bob"}),
        ("q=pixel+doe", {"jane"}),
        ("q=pixel+bob", set()),
        ("opportunity=study-7", {"bob"}),
        ("q=join+US", {"jane", "bob"}),
        ("q=%25", set()),
        ("q=mailto:jane@example.org?subject=x", {"jane"}),
        ("when=month&q=bob", {"bob"}),
        ("q=*", {"jane", "bob"}),
        ("q=%27+OR+1", set()),
        ("q=%00", {"jane", "bob"}),
        ("q=join%00us", {"jane", "bob"}),
        (f"q={'x' * 10_000}", set()),
        ("from=2000-01-01&to=2999-01-01", {"jane", "bob"}),
        ("to=2000-01-01", set()),
        ("from=2999-01-01", set()),
        ("when=today", {"jane", "bob"}),
        ("when=yesterday", set()),
        ("when=week&q=bob", {"bob"}),
        ("when=nonsense", {"jane", "bob"}),
        ("failed=1", set()),
        ("before=0", set()),
        ("before=99999999999999999999", {"jane", "bob"}),
        ("before=x", {"jane", "bob"}),
        ("before=-99999999999999999999", set()),
        ("nonsense=1", {"jane", "bob"}),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_the_filter_in_the_url_decides_what_is_listed(
    host: Host, client: FlaskClient, query: str, found: set[str], headers: dict[str, str]
) -> None:
    host.mail.send(host.invitation("Jane Doe <jane@example.org>"))
    sent(host, "bob@other.example", opportunity="study-7")
    answer = client.get(f"{LOG}?{query}", headers=headers)
    assert answer.status_code == 200
    assert listed(answer.text) == found
    assert ("<html" in answer.text) is not bool(headers)


@pytest.mark.parametrize(
    "typed", ["bücher", "BUCHER", "bücher.example.org", "@büch", "jane@büc", "xn--bcher", "@bücher.example.org"]
)
def test_a_domain_in_its_own_script_is_found_by_its_parts(host: Host, client: FlaskClient, typed: str) -> None:
    sent(host, "jane@bücher.example.org")
    sent(host, "bob@other.example")
    assert listed(client.get(LOG, query_string={"q": typed}).text) == {"jane"}


def test_a_fresh_invitation_is_said_to_appear_later(host: Host, client: FlaskClient) -> None:
    sent(host)
    said = "Invitations appear here when their minute is over."
    assert said in client.get(LOG).text and said not in client.get(f"{LOG}?before={LARGEST_ID}").text


def test_an_opportunity_goes_by_its_title(host: Host, client: FlaskClient) -> None:
    path = sent(host)
    text = client.get(LOG).text
    assert '<option value="beta-42">Pixel Beta</option>' in text
    assert "<td>Pixel Beta</td>" in text
    assert ">Pixel Beta</a> <small>beta-42</small>" in client.get(path).text
    unknown = client.get(f"{LOG}?opportunity=gone").text
    assert "<option selected>gone</option>" in unknown


def test_the_id_stands_beside_a_title_that_two_opportunities_have(host: Host, client: FlaskClient) -> None:
    host.optout.opportunity_loader(lambda id: {"title": "Beta"})
    for opportunity in ("beta-42", "beta-43"):
        sent(host, opportunity=opportunity)
    text = client.get(LOG).text
    assert "<td>Beta <small>beta-43</small></td>" in text
    assert '<option value="beta-42">Beta (beta-42)</option>' in text


def test_chips_show_what_is_on_and_take_it_off(host: Host, client: FlaskClient) -> None:
    sent(host)
    query = "q=jane&opportunity=beta-42&when=week&from=2031-12-24&failed=1"
    text = html.unescape(client.get(f"{LOG}?{query}").text)
    found = re.findall(r'<li><a href="([^"]+)"><span[^>]*>Remove the filter</span>([^<]+)<', text)
    chips = {re.sub(r"\s+", " ", label).strip(): url for url, label in found}
    assert list(chips) == ["jane", "Pixel Beta", "Last 7 days", "from 2031-12-24", "Failed only"]
    everything = {*query.split("&")}
    assert {*chips["jane"].partition("?")[2].split("&")} == everything - {"q=jane"}
    off = everything - {"from=2031-12-24"}
    assert {*chips["from 2031-12-24"].partition("?")[2].split("&")} == off
    assert "optout-chips" not in client.get(LOG).text


def test_what_begins_with_the_word_is_found_in_the_whole_log(
    host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_optout.email_log.search.WINDOW", 1)
    number_rows(monkeypatch)
    sent(host, "jane@example.org", opportunity="study-7")
    sent(host, "bob@other.example")
    sent(host, "cleo@other.example")

    def near(query: str) -> list[str]:
        found = re.search(r"in the whole Email Log:(.*?)</p>", client.get(f"{LOG}?{query}").text, re.DOTALL)
        return re.findall(r">([^<]+)</a>", found[1]) if found else []

    assert near("q=JAN") == ["jane@example.org"]
    assert near("q=@exam") == ["@example.org"]
    assert near("q=sleep") == near("q=jane+x") == near("q=jane@example.org") == []
    far = client.get(f"{LOG}?q=jan").text
    assert "Searched 50,000 invitations, back to <time" in far and 'rel="next">Search further back<' in far
    assert listed(far) == set()


@pytest.mark.parametrize(
    ("rows", "counted", "said"),
    [
        (0, 10, "No invitation found."),
        (1, 10, "1 invitation."),
        (3, 10, "3 invitations."),
        (3, 2, "More than 2 invit"),
    ],
)
def test_a_total_is_told_where_it_is_cheap(
    host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, rows: int, counted: int, said: str
) -> None:
    for module in ("search", "pages"):
        monkeypatch.setattr(f"flask_optout.email_log.{module}.COUNTED", counted)
        monkeypatch.setattr(f"flask_optout.email_log.{module}.PAGE", 2)
    for number in range(rows):
        host.mail.send(host.invitation(f"p{number}@example.org"))
    assert said in client.get(LOG).text


def test_new_rows_arrive_when_their_minute_is_over(
    host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = now().replace(second=0, microsecond=0)
    clock = [started]
    monkeypatch.setattr("flask_optout.email_log.records.now", lambda: clock[0])
    read_until(monkeypatch, lambda: id_at(clock[0]))
    sent(host, "jane@example.org")
    poll = re.search(r'id="log-new" hx-get="([^"]+)"', client.get(f"{LOG}?opportunity=beta-42").text)
    assert poll is not None

    def arrived(url: str) -> tuple[int, set[str], str]:
        answer = client.get(html.unescape(url), headers={"HX-Request": "true"})
        following = re.search(r'id="log-new" hx-get="([^"]+)"', answer.text)
        return answer.status_code, listed(answer.text), following[1] if following else ""

    assert arrived(poll[1]) == (204, set(), "")
    sent(host, "bob@example.org")
    sent(host, "cleo@example.org", opportunity="study-7")
    assert arrived(poll[1]) == (204, set(), "")
    clock[0] += datetime.timedelta(minutes=1)
    sent(host, "dora@example.org")
    status, found, following = arrived(poll[1])
    assert (status, found) == (200, {"jane", "bob"})
    assert arrived(following)[0] == 204
    clock[0] += datetime.timedelta(minutes=1)
    assert arrived(following)[:2] == (200, {"dora"})


def test_beside_a_whole_address_no_other_arrives_that_only_contains_it(
    host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [now()]
    monkeypatch.setattr("flask_optout.email_log.records.now", lambda: clock[0])
    read_until(monkeypatch, lambda: id_at(clock[0]))

    def arrived(to: str) -> list[str]:
        poll = f"{LOG}?q=jane@example.org&after={id_at(clock[0])}"
        sent(host, to)
        clock[0] += datetime.timedelta(minutes=1)
        return re.findall(r"<td>([\w-]+)@", client.get(poll, headers={"HX-Request": "1"}).text)

    people = ["mary-jane@example.org", "jane@example.org", "mary-jane@example.org"]
    assert [arrived(to) for to in people] == [["mary-jane"], ["jane"], []]


def test_dates_are_those_of_the_zone_that_the_page_names(make: MakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    host = make(operator=lambda: True, OPTOUT_TIMEZONE="Pacific/Kiritimati", MAIL_SUPPRESS_SEND=True)
    late = now().replace(year=2031, month=12, day=24, hour=20, minute=30, second=15, microsecond=0)
    monkeypatch.setattr("flask_optout.email_log.records.make_id", lambda: id_at(late))
    client = host.app.test_client()
    with host.app.app_context():
        sent(host)
    page = client.get(f"{LOG}?from=2031-12-25&to=2031-12-25").text
    assert "2031-12-25 10:30<" in page and "Pacific/Kiritimati" in page
    assert "jane@example.org" not in client.get(f"{LOG}?from=2031-12-24&to=2031-12-24").text
    assert "The last day is before the first." in client.get(f"{LOG}?from=2031-12-25&to=2031-12-24").text


def test_older_pages_keep_the_filter(host: Host, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("search", "pages"):
        monkeypatch.setattr(f"flask_optout.email_log.{module}.PAGE", 2)
    number_rows(monkeypatch)
    for to in ("jane", "joan", "june"):
        host.mail.send(host.invitation(f"{to}@example.org"))
    first = client.get(f"{LOG}?opportunity=beta-42").text
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older is not None and "opportunity=beta-42" in older[1]
    second = client.get(html.unescape(older[1])).text
    assert re.findall(r"<td>(\w+)@", first + second) == ["june", "joan", "jane"]
    assert 'rel="next"' not in second and ">Newest<" in second
    assert "3 invitations." in first and "3 invitations." in second
    assert "1 invitation on this page." in client.get(f"{html.unescape(older[1])}&q=jan").text


def saved(client: FlaskClient, query: str = "") -> list[str]:
    """The saved filters that a list offers."""
    menu = re.search(r'id="log-saved"(.*?)</nav>', client.get(LOG + query).text, re.DOTALL)
    return re.findall(r'<li><a href="[^"]+">([^<]+)</a>', menu[1]) if menu else []


def change(client: FlaskClient, query: str = "?opportunity=beta-42", **fields: str) -> tuple[int, str]:
    """Send the form of a saved filter, or of one to save; gives the status and the page behind it."""
    answer = post(client, LOG + query, **fields)
    return answer.status_code, client.get(answer.location).text if answer.location else answer.text


def test_a_filter_is_saved_as_it_stands_in_the_url(host: Host, client: FlaskClient) -> None:
    sent(host)
    status, text = change(client, "?q=jane&opportunity=beta-42", do="save", name="Jane & co")
    assert (status, re.findall(r"autofocus>([^<]+)", text)) == (303, ["The filter is saved."])
    assert "Save for all operators" not in text, "it is saved"
    live = {"HX-Request": "true"}
    assert "Save for all operators" not in client.get(f"{LOG}?q=jane&opportunity=beta-42", headers=live).text
    assert "Save for all operators" in client.get(f"{LOG}?q=jane", headers=live).text
    assert saved(client) == ["Jane &amp; co"]
    assert '?q=jane&amp;opportunity=beta-42">Jane' in client.get(LOG).text
    assert '" aria-current="page">Jane' in client.get(f"{LOG}?q=jane&opportunity=beta-42").text


def test_a_saved_filter_has_a_name_of_its_own_and_is_renamed_and_deleted(host: Host, client: FlaskClient) -> None:
    sent(host)
    for name in ("One", "Two"):
        change(client, do="save", name=name)
    for fields in ({"do": "save"}, {"do": "rename", "saved": "Two"}):
        status, text = change(client, name="One", **fields)
        assert (status, "There is a saved filter of this name." in text) == (409, True)
        assert re.search(r'<details[^>]* open>.*value="One"', text, re.DOTALL)  # its form, with what was typed
    assert saved(client) == ["One", "Two"]
    status, text = change(client, do="rename", saved="Two", name="Three")
    assert (status, "The filter has its new name." in text, saved(client)) == (303, True, ["One", "Three"])
    assert "Delete the filter “Three” for all operators?" in text
    status, text = change(client, do="delete", saved="Three", name="")
    assert (status, "The filter is deleted." in text, saved(client)) == (303, True, ["One"])


@pytest.mark.parametrize("do", ["save", "rename"])
@pytest.mark.parametrize("fields", [{"name": ""}, {"name": "n" * 81}, {"name": "a\0"}, {"name": "x", "to": "never"}])
def test_a_filter_that_makes_no_sense_is_not_saved(
    host: Host, client: FlaskClient, fields: dict[str, str], do: str
) -> None:
    sent(host)
    query = f"?to={fields.get('to', '')}"
    status, text = change(client, query, do=do, **fields)
    assert (status, "A filter needs a name" in text, saved(client)) == (400, True, [])

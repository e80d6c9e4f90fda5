"""The whole story: an invitation leaves, the candidate mutes and changes their mind, and the next one obeys."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.host_pages import dress
from tests.support.hosts import Host, Mailbox, say
from tests.support.story import NO, UNDO, link_in, press


def test_a_candidate_mutes_and_changes_their_mind(served: Host, smtp: Mailbox, page: Page) -> None:
    served.mail.send(served.invitation())
    page.goto(link_in(smtp.received[0].part("plain")))
    expect(page.get_by_role("heading", name="Pixel Beta")).to_be_visible()
    expect(page.get_by_text("Try the new camera.")).to_be_visible()

    press(page, "Not Interested?")
    expect(page.get_by_role("heading", name="You will get no more invitations to Pixel Beta.")).to_be_visible()
    expect(page.get_by_text("Try the new camera.")).to_be_hidden()
    served.mail.send(served.invitation())
    served.mail.send(served.invitation(opportunity="study-7"))
    assert [mail.message["Subject"] for mail in smtp.received] == ["Join us", "Join us"]
    assert "study-7" in smtp.received[1].message["List-Id"]

    press(page, "I've changed my mind.")
    expect(page.get_by_text("Try the new camera.")).to_be_visible()
    served.mail.send(served.invitation())
    assert len(smtp.received) == 3


def test_the_same_link_offers_the_undo_later(served: Host, smtp: Mailbox, page: Page) -> None:
    served.mail.send(served.invitation())
    link = link_in(smtp.received[0].part("html"))
    page.goto(link)
    press(page, "Not Interested?")
    expect(page.get_by_role("button", name="I've changed my mind.")).to_be_visible()
    page.goto("about:blank")

    page.goto(link)
    expect(page.get_by_text("Try the new camera.")).to_be_hidden()
    press(page, "I've changed my mind.")
    expect(page.get_by_role("button", name="Not Interested?")).to_be_visible()


def test_on_a_later_visit_the_undo_is_folded_away(served: Host, page: Page) -> None:
    say(served, True, to="jane@example.org")
    page.goto(served.optout.link("jane@example.org", "beta-42"))
    undo = page.get_by_role("button", name="I've changed my mind.")
    expect(page.get_by_text("You will get no more invitations to")).to_be_visible()
    expect(undo).to_be_hidden()

    page.get_by_text("Changed your mind?").click()
    press(page, "I've changed my mind.")
    expect(page.get_by_text("Try the new camera.")).to_be_visible()
    assert served.optout.may_invite("jane@example.org", "beta-42")


def test_a_candidate_stops_all_invitations(served: Host, smtp: Mailbox, page: Page) -> None:
    page.goto(served.optout.link("jane@example.org", "beta-42"))
    press(page, "Not Interested?")
    page.get_by_text("More choices").click()
    press(page, "Stop all invitations from us")
    expect(page.get_by_role("heading", name="You will get no more invitations from us.")).to_be_visible()
    served.mail.send(served.invitation(opportunity="study-7"))
    assert smtp.received == []

    page.goto(served.optout.link("jane@example.org", "study-7"))
    page.get_by_text("Changed your mind?").click()
    press(page, "I've changed my mind.")
    expect(page.get_by_role("heading", name="Sleep Study")).to_be_visible()
    served.mail.send(served.invitation(opportunity="study-7"))
    served.mail.send(served.invitation(opportunity="beta-42"))
    assert [mail.message["List-Id"] for mail in smtp.received] == ["<study-7.optout.127.0.0.1>"]


def test_the_story_at_the_hosts_own_landing_page(served: Host, page: Page, smtp: Mailbox) -> None:
    host = dress(served)
    host.mail.send(host.invitation())
    link = link_in(smtp.received[0].part("plain"))
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Try the Pixel Beta")
    press(page, NO)
    expect(page.get_by_text("You will get no more invitations to Pixel Beta.")).to_be_visible()
    host.mail.send(host.invitation())
    assert len(smtp.received) == 1

    page.goto(link)
    expect(page.get_by_role("banner")).to_have_text("Jobs at Example")
    expect(page.get_by_role("heading", level=1)).to_have_text("You will get no more invitations to Pixel Beta.")
    expect(page.get_by_text("Apply now")).to_have_count(0)
    press(page, UNDO)
    expect(page.get_by_role("heading", level=1)).to_have_text("Try the Pixel Beta")
    expect(page.locator(".optout-toggle")).to_contain_text("You can be invited to Pixel Beta again.")
    expect(page.get_by_role("link", name="Apply now")).to_be_visible()
    host.mail.send(host.invitation())
    assert len(smtp.received) == 2

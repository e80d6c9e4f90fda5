"""The data key: random, wrapped by the app's keys, and everything that is derived from it."""

from __future__ import annotations

import hashlib
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout.addresses import parse
from flask_optout.errors import ConfigurationError
from flask_optout.links.keys import ALL, AppKey, DataKey, Mark, app_keys

APP_KEY = AppKey("an app's key of 32 bytes or more.")
KEY = DataKey(b"d" * 32)


def test_a_digest_is_keyed_blake2b_over_the_length_prefixed_opportunity_and_the_address() -> None:
    expected = hashlib.blake2b(
        b"\0\0\0\x07beta-42jane@x.org", digest_size=16, key=KEY.derive("people"), person=b"optout.person"
    )
    assert KEY.digest("beta-42", "jane@x.org") == expected.digest()


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_no_two_pairs_run_into_one_another(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (KEY.digest(*one) == KEY.digest(*other)) == (one == other)


@given(st.text(max_size=20), st.lists(st.binary(max_size=40), max_size=9))
def test_many_digests_are_those_of_each(opportunity: str, people: list[bytes]) -> None:
    assert KEY.digests(opportunity, people) == [KEY.digests(opportunity, [person])[0] for person in people]


def test_what_is_derived_for_one_purpose_tells_nothing_about_another() -> None:
    purposes = ("id", "people", "link.landing", "link.one-click", "journal")
    derived = [KEY.derive(purpose) for purpose in purposes]
    assert len({*derived, KEY.secret}) == 6 and all(len(key) == 32 for key in derived)
    about = "x.org"
    assert len({KEY.scope(about)[:4], KEY.domain_tag(about), KEY.digest(about, "")[:4]}) == 3


def test_another_data_key_gives_other_pseudonyms() -> None:
    other = DataKey(b"e" * 32)
    assert other.id != KEY.id
    assert other.scope("beta-42") != KEY.scope("beta-42")
    assert other.digest("beta-42", "jane@x.org") != KEY.digest("beta-42", "jane@x.org")


@pytest.mark.parametrize(
    ("address", "people"),
    [("jane@x.org", ["jane@x.org"]), ("jane+2@x.org", ["jane+2@x.org", "jane@x.org"])],
)
def test_marks_cover_the_address_without_its_tag_and_all_invitations(address: str, people: list[str]) -> None:
    expected = [Mark(KEY.scope(about), KEY.digest(about, who)) for who in people for about in ("beta-42", ALL)]
    assert KEY.marks(parse(address), "beta-42") == expected
    assert KEY.mark(parse(address), "beta-42") == expected[0]


def test_a_data_key_is_wrapped_by_an_apps_key_and_opened_by_no_other() -> None:
    wrapped = APP_KEY.wrap(KEY)
    assert APP_KEY.unwrap(wrapped).secret == KEY.secret
    with pytest.raises(ConfigurationError, match="damaged"):
        AppKey("another key of 32 bytes or more..").unwrap(wrapped)


@pytest.mark.parametrize("damage", ["", "x", "é", "gAAAAA", APP_KEY.wrap(KEY)[:-4]])
def test_a_damaged_slot_is_named_and_says_what_to_restore(damage: str) -> None:
    with pytest.raises(ConfigurationError, match=f"slot {APP_KEY.id}.*Restore the table optout_meta"):
        APP_KEY.unwrap(damage)


def test_the_id_of_a_key_tells_nothing_about_it() -> None:
    assert len(APP_KEY.id) == 16 and APP_KEY.id not in APP_KEY.wrap(KEY)
    assert AppKey(b"an app's key of 32 bytes or more.").id == APP_KEY.id


@pytest.mark.parametrize("given", [[], [None], [""], [b""], ["k", None], [5], ["k", ""]], ids=repr)
def test_without_a_usable_key_the_error_names_the_settings(given: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"OPTOUT_KEYS and SECRET_KEY .*secrets\.token_hex"):
        app_keys(given)


def test_a_key_that_is_given_twice_is_one() -> None:
    assert [key.secret for key in app_keys(["new", "old", b"new"])] == [b"new", b"old"]


def test_a_random_key_has_no_weak_value() -> None:
    ids = {AppKey(secrets.token_bytes(24)).id for _ in range(1_000)}
    assert len(ids) == 1_000

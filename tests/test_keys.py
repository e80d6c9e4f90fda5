"""Digests are keyed pseudonyms; separate keys serve people and links; a ring that lacks a key is noticed."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout.addresses import parse
from flask_optout.errors import ConfigurationError
from flask_optout.keys import ALL, Key, KeyRing

NEW, OLD = b"n" * 32, b"o" * 32


def test_a_digest_is_keyed_blake2b_over_the_length_prefixed_opportunity_and_the_address() -> None:
    key = Key(NEW)
    expected = hashlib.blake2b(
        b"\0\0\0\x07beta-42jane@x.org", digest_size=16, key=key.people, person=b"optout.person"
    ).digest()
    assert key.digest("beta-42", "jane@x.org") == expected


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_no_two_pairs_run_into_one_another(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (Key(NEW).digest(*one) == Key(NEW).digest(*other)) == (one == other)


def test_keys_for_people_links_and_ids_tell_nothing_about_each_other() -> None:
    key = Key(NEW)
    derived = {key.people, key.derive("id"), key.derive("link.landing"), key.derive("link.one-click"), NEW}
    assert len(derived) == 5
    assert NEW.decode() not in repr(key) and key.people.hex() not in repr(key)


def test_marks_cover_the_address_without_its_tag_all_invitations_and_every_key() -> None:
    ring = KeyRing.of([NEW, OLD])
    groups = ring.marks(parse("jane+2@x.org"), "beta-42")
    expected = [
        [(key.scope(about), key.digest(about, person)) for key in ring.keys]
        for about in ("beta-42", ALL)
        for person in ("jane+2@x.org", "jane@x.org")
    ]
    assert groups == expected
    assert len(ring.marks(parse("jane@x.org"), ALL)) == 1


@pytest.mark.parametrize("secrets", [[], [None], [""], [b""], [NEW, NEW], [NEW, None], [5]])
def test_a_ring_without_usable_keys_names_the_setting(secrets: list[bytes]) -> None:
    with pytest.raises(ConfigurationError, match="OPTOUT_KEYS"):
        KeyRing.of(secrets)


def test_choices_under_a_key_that_the_ring_lacks_are_noticed_and_the_key_is_named() -> None:
    ring = KeyRing.of([NEW])
    ring.check({Key(NEW).id})
    with pytest.raises(ConfigurationError, match=Key(OLD).id.hex()):
        ring.check({Key(NEW).id, Key(OLD).id})
    KeyRing.of([NEW, OLD]).check({Key(NEW).id, Key(OLD).id})

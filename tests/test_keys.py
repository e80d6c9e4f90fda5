"""Digests are keyed pseudonyms; separate keys serve people and links; a ring that lacks a key is noticed."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_optout.addresses import parse
from flask_optout.errors import ConfigurationError
from flask_optout.links.keys import ALL, LEAST_KEY, Key, KeyRing

NEWEST, NEW, OLD = b"k" * 32, b"n" * 32, b"o" * 32


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
    new, old = ring.keys
    groups = ring.marks(parse("jane+2@x.org"), "beta-42")
    expected = [
        [
            (new.rekey(old.scope(about)), new.rekey(old.digest(about, person))),
            (old.scope(about), old.digest(about, person)),
        ]
        for about in ("beta-42", ALL)
        for person in ("jane+2@x.org", "jane@x.org")
    ]
    assert groups == expected
    assert len(ring.marks(parse("jane@x.org"), ALL)) == 1


def test_what_an_older_ring_wrote_is_lifted_to_the_newest_key_without_an_address() -> None:
    rings = [KeyRing.of(secrets) for secrets in ([OLD], [NEW, OLD], [NEWEST, NEW, OLD])]
    jane = parse("jane@x.org")
    newest = rings[-1].mark(jane, "beta-42")
    assert len({ring.mark(jane, "beta-42") for ring in rings}) == 3
    for ring in rings:
        mark = ring.mark(jane, "beta-42")
        assert [rings[-1].lift(pseudonym, ring.current) for pseudonym in mark] == list(newest)
        assert rings[-1].lift(ring.domain_tag(jane.domain), ring.current) == rings[-1].domain_tag(jane.domain)
        assert [mark] == [m for m in rings[-1].marks(jane, "beta-42")[0] if m == mark]


@pytest.mark.parametrize("secrets", [[], [None], [""], [b""], [NEW, NEW], [NEW, None], [5]])
def test_a_ring_without_usable_keys_names_the_setting(secrets: list[bytes]) -> None:
    with pytest.raises(ConfigurationError, match="OPTOUT_KEYS"):
        KeyRing.of(secrets)


IDS = {secret: Key(secret).id for secret in (OLD, NEW, NEWEST)}


@pytest.mark.parametrize(
    ("ring", "stored"),
    [
        ([NEW], []),
        ([NEW], [NEW]),
        ([NEW, OLD], [OLD]),
        ([NEW, OLD], [OLD, NEW]),
        ([NEWEST, NEW, OLD], [OLD, NEW]),
    ],
)
def test_a_ring_fits_what_it_and_shorter_ones_stored(ring: list[bytes], stored: list[bytes]) -> None:
    KeyRing.of(ring).check([IDS[secret] for secret in stored])


@pytest.mark.parametrize(
    ("ring", "stored", "what", "named"),
    [
        ([NEW], [OLD], "lacks", OLD),
        ([NEW], [OLD, NEW], "lacks", OLD),
        ([OLD], [OLD, NEW], "lacks", NEW),
        ([NEWEST, OLD], [OLD, NEW], "lacks", NEW),
        ([OLD, NEW], [OLD, NEW], "in the wrong place", NEW),
        ([OLD, NEW], [OLD], "in the wrong place", NEW),
        ([NEW, NEWEST, OLD], [OLD, NEW], "in the wrong place", NEWEST),
    ],
)
def test_a_ring_that_lacks_or_reorders_keys_is_noticed_and_the_key_is_named(
    ring: list[bytes], stored: list[bytes], what: str, named: bytes
) -> None:
    with pytest.raises(ConfigurationError, match="OPTOUT_KEYS") as refused:
        KeyRing.of(ring).check([IDS[secret] for secret in stored])
    assert what in refused.value.what and IDS[named].hex() in refused.value.what
    assert ", ".join(IDS[secret].hex() for secret in reversed(stored)) in refused.value.mend


@pytest.mark.parametrize(
    "secret",
    [
        "dev",
        "changeme",
        "change-me",
        "CHANGE ME!",
        "secret",
        "your-secret-key-here",
        "development key",
        "x" * 31,
        "test",
    ],
)
def test_a_key_that_can_be_guessed_is_refused_and_its_id_is_named(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="OPTOUT_KEYS") as refused:
        KeyRing.of([NEW, secret]).refuse_weak(LEAST_KEY, "OPTOUT_KEYS")
    assert Key(secret.encode()).id.hex() in str(refused.value)
    assert f" {secret} " not in str(refused.value)


@pytest.mark.parametrize("secret", ["change-me-" * 6, "dev" * 20])
def test_a_long_placeholder_is_one_too(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="placeholder"):
        KeyRing.of([secret]).refuse_weak(LEAST_KEY, "OPTOUT_KEYS")


@given(st.binary(min_size=LEAST_KEY, max_size=64))
def test_random_keys_are_good(secret: bytes) -> None:
    KeyRing.of([b"an honest key " + secret]).refuse_weak(LEAST_KEY, "OPTOUT_KEYS")


def test_two_keys_of_one_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Key, "derive", lambda self, purpose: b"the same for every key" + b"." * 10)
    with pytest.raises(ConfigurationError, match="same id"):
        KeyRing.of([NEW, OLD])

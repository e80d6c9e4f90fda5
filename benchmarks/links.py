"""Making links and reading tokens, compared with the cryptographic operations alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator

from itsdangerous.signer import HMACAlgorithm

from flask_optout.addresses import parse
from flask_optout.errors import BadToken
from flask_optout.links.tokens import ALL, SIGNATURE_SIZE, DataKey, Door, Links, Tokens

from .harness import Row, interleave, repeated

CALLS, ROUNDS = 5_000, 7
OPPORTUNITY = "beta-42"
PREFIX = "https://jobs.example.org/optout/"
SECRET = b"the key of the benchmarks, 32 b."
KEY = DataKey(SECRET)


def rows() -> Iterator[Row]:
    tokens = Tokens(KEY)
    links = Links(lambda: tokens, lambda door: PREFIX, bool)
    addresses = [parse(f"candidate{number}@example.org") for number in range(CALLS)]
    minted = [tokens.mint(Door.LANDING, address, OPPORTUNITY) for address in addresses]
    bad = [token[:-1] + ("a" if token[-1] != "a" else "b") for token in minted]
    contenders = {
        "mint": lambda n: links.url(Door.LANDING, addresses[n], OPPORTUNITY),
        "mint by hand": _by_hand([address.canonical for address in addresses]),
        "read": lambda n: tokens.read(Door.LANDING, minted[n]),
        "refuse": lambda n: _refused(tokens, bad[n]),
        "hmac": lambda n: hmac.new(SECRET, minted[n].encode(), hashlib.sha256).digest(),
        "hmac in C": lambda n: hmac.digest(SECRET, minted[n].encode(), "sha256"),
    }
    times = interleave({name: repeated(work, CALLS) for name, work in contenders.items()}, ROUNDS)
    note = f"Each takes {times.seconds('mint') / CALLS * 1e6:.1f} µs."
    against = "two digests, itsdangerous signature, base32, join"
    yield Row("links minted", against, times.ratio("mint", "mint by hand"), most=1.2, note=note)
    for path, name, most in (("tokens read", "read", 3), ("bad tokens refused, without a query", "refuse", 2)):
        in_c = times.ratio(name, "hmac in C")
        each = times.seconds(name) / CALLS * 1e6
        note = f"Each takes {each:.1f} µs, {in_c:.1f} times as long as `hmac.digest`, which is all C."
        yield Row(path, "one HMAC by `hmac.new`", times.ratio(name, "hmac"), most=most, note=note)


def _by_hand(people: list[str]) -> Callable[[int], object]:
    signer = HMACAlgorithm(hashlib.sha256)
    key = KEY.derive(f"link.{Door.LANDING}")

    def mint(number: int) -> str:
        payload = b"vn" + b"".join([KEY.digest(about, people[number]) for about in (OPPORTUNITY, ALL)])
        payload += b"tag." + OPPORTUNITY.encode()
        signature = signer.get_signature(key, payload)[:SIGNATURE_SIZE]
        return PREFIX + base64.b32encode(payload + signature).rstrip(b"=").lower().decode()

    return mint


def _refused(tokens: Tokens, token: str) -> None:
    try:
        tokens.read(Door.LANDING, token)
    except BadToken:
        return
    raise AssertionError("a bad token was taken for a good one")

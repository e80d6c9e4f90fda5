"""The fuzz targets hold for what Hypothesis thinks of; ``python -m fuzz`` looks further with Atheris."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.targets import SEEDS, TARGETS

pytestmark = pytest.mark.long

LIKELY = st.text(
    st.sampled_from(
        'abcjane@x.org"\\<>(),;: \t\r\n+-_%=\x00\x1fé\u0301ßıK\u200b\ufeff\N{FULLWIDTH LATIN SMALL LETTER A}'
    ),
    max_size=60,
).map(str.encode)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=300, deadline=None)
@given(data=st.one_of(st.binary(max_size=200), LIKELY))
def test_a_target_holds(target: str, data: bytes) -> None:
    TARGETS[target](data)


@pytest.mark.parametrize(
    ("target", "seed"), [(target, seed) for target in SEEDS for seed in SEEDS[target]], ids=ascii
)
def test_a_seed_holds(target: str, seed: bytes) -> None:
    TARGETS[target](seed)

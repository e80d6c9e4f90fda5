"""Whatever other parsers read in an address, nobody who is muted gets mail."""

from __future__ import annotations

import pytest

from tests.support.differential import compare
from tests.support.hosts import Host, Mailbox

pytestmark = pytest.mark.long


def test_no_parser_finds_a_muted_person_among_those_who_got_mail(host: Host, smtp: Mailbox) -> None:
    verdicts = compare(host, smtp, 1_500, seed=1)
    assert (verdicts.muted_mailed, verdicts.read_otherwise) == (0, 0)
    assert min(verdicts.refused, verdicts.dropped, verdicts.delivered) > 100

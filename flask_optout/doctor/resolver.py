"""Ask DNS, within a time and a number of questions, and remember what could not be answered.

The libraries for SPF, DKIM and DMARC each take trouble in DNS for an answer somewhere ("no record", "not valid",
"not authorised"). They all ask through this resolver, so whoever reads their verdict can see from ``trouble`` whether
it rests on an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import checkdmarc.utils
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.reversename

from .finding import Unsure

#: An honest domain takes some 40; a hostile one would go on for ever.
MOST_QUESTIONS = 250
#: After so many questions without an answer no further one is worth the wait.
MOST_TIMEOUTS = 3
SECONDS_PER_QUESTION = 3.0
SECONDS_PER_TRY = 1.4


class Resolver(dns.resolver.Resolver):
    """A resolver with a deadline.

    :param deadline: when to stop asking, by ``time.monotonic()``.
    :param nameservers: (address, port) of those to ask instead of the system's.
    """

    def __init__(self, deadline: float, nameservers: Sequence[tuple[str, int]] = ()) -> None:
        with suppress(dns.resolver.NoResolverConfiguration):  # then each question goes unanswered
            super().__init__(configure=not nameservers)
        if nameservers:
            self.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in nameservers]
        self.timeout = SECONDS_PER_TRY
        self.deadline = deadline
        self.trouble: list[str] = []
        self._asked = 0
        self._timeouts = 0
        self._answers: dict[tuple[str, str], Any] = {}

    def resolve(self, qname: Any, rdtype: Any = "A", *args: Any, **options: Any) -> Any:
        """As dnspython's, but a name that cannot exist does not, and every answer is kept.

        :raises dns.exception.DNSException: when there is no answer.
        """
        key = str(qname).lower().rstrip("."), dns.rdatatype.RdataType.make(rdtype).name
        if key not in self._answers:
            self._answers[key] = self._ask(*key)
        answer = self._answers[key]
        if isinstance(answer, str):
            self.trouble.append(answer)
            raise dns.exception.Timeout(timeout=0.0)  # type: ignore[no-untyped-call]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _ask(self, name: str, rdtype: str) -> Any:
        """The answer, the exception that says there is none, or what kept DNS from answering."""
        left = self.deadline - time.monotonic()
        self._asked += 1
        if left <= 0 or self._asked > MOST_QUESTIONS or self._timeouts >= MOST_TIMEOUTS:
            return "DNS took too long, or has no end"
        try:
            return super().resolve(name + ".", rdtype, lifetime=min(left, SECONDS_PER_QUESTION))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer) as error:
            return error
        except (dns.exception.Timeout, dns.resolver.NoNameservers, OSError) as error:
            self._timeouts += isinstance(error, dns.exception.Timeout)
            kind = "no answer in time" if isinstance(error, dns.exception.Timeout) else "the server could not answer"
            return f"{kind} for {name} {rdtype}"
        except (dns.exception.DNSException, ValueError):  # not a name, or an answer that is not one
            return dns.resolver.NXDOMAIN(qnames=[dns.name.root], responses={})  # type: ignore[no-untyped-call]

    def records(self, name: str, rdtype: str) -> list[Any]:
        """The records of one type at a name; none when it has none.

        :raises Unsure: when nobody can tell.
        """
        try:
            return list(self.resolve(name, rdtype))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException:
            raise Unsure(self.trouble[-1]) from None

    def texts(self, name: str) -> list[str]:
        """TXT records, their strings joined without a space (RFC 7208 section 3.3, RFC 6376 section 3.6.2.2)."""
        return [b"".join(record.strings).decode("latin-1") for record in self.records(name, "TXT")]

    def through(self, look: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What a function of checkdmarc says, asking through this resolver.

        :raises Unsure: when it says that something is wrong, and that rests on trouble in DNS.
        """
        # Its cache would answer for another resolver: it is kept by name and type alone.
        checkdmarc.utils.DNS_CACHE.clear()
        before = len(self.trouble)
        try:
            return look(*args, resolver=self, nameservers=self.nameservers, retries=0, timeout=2, **options)
        except Exception:
            if self.trouble[before:]:
                raise Unsure(self.trouble[-1]) from None
            raise

    def addresses(self, name: str) -> list[str]:
        return [str(record.address) for kind in ("A", "AAAA") for record in self.records(name, kind)]

    def names_of(self, address: str) -> list[str]:
        """The host names that an address says it has."""
        reverse = dns.reversename.from_address(address).to_text()
        return [record.target.to_text(omit_final_dot=True) for record in self.records(reverse, "PTR")]

"""The hosts of a sending domain: MX, reverse names, HELO, block lists, and how their mail is encrypted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Any

import checkdmarc.mta_sts
import checkdmarc.smtp_tls_reporting
import checkdmarc.utils

from .finding import Finding, tell, unknown
from .resolver import Resolver, Unsure

MOST_ADDRESSES = 4
#: Blocks that nothing in the Internet sends from. Those for documentation are not among them: only they tell a test
#: from the Internet.
INSIDE = [
    ipaddress.ip_network(block)
    for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
]
#: Answers of block lists that say that they do not answer (such as to a public resolver), and that a name is not of
#: their kind; https://www.spamhaus.org/faqs/dnsbl-usage/.
REFUSED = ipaddress.ip_network("127.255.255.0/24")
NOT_MINE = "127.0.1.255"


def mx(resolver: Resolver, domain: str, subject: str = "domain.mx") -> Iterator[Finding]:
    """Whether a domain takes mail: one that invitations come from, or that of OPTOUT_MAILTO."""
    try:
        hosts = sorted(
            {record.exchange.to_text(omit_final_dot=True).lower() for record in resolver.records(domain, "MX")}
        )
        lost = [host for host in hosts[:MOST_ADDRESSES] if host not in ("", ".") and not resolver.addresses(host)]
        if set(hosts) & {"", "."}:
            yield tell(f"{subject}.none", domain=domain, what="refuses all mail (a null MX, RFC 7505 section 4.2)")
        elif not hosts and not resolver.addresses(domain):
            yield tell(f"{subject}.none", domain=domain, what="takes no mail: it has no MX record and no address")
        elif lost and len(lost) == len(hosts[:MOST_ADDRESSES]):
            yield tell(f"{subject}.none", domain=domain, what=f"takes no mail: {lost[0]} has no address")
        else:
            yield tell(subject, domain=domain, hosts=", ".join(hosts[:MOST_ADDRESSES]) or "its own address")
    except Unsure as trouble:
        yield unknown(subject, f"whether {domain} takes mail", trouble)


def senders(resolver: Resolver, host: str | None) -> tuple[list[str], list[Finding]]:
    """The public addresses of the sending host, and what keeps us from knowing them."""
    mend = "Set OPTOUT_SENDING_HOST to the name or address of the host that delivers your mail."
    what = "whether the sending host may send"
    if not host:
        return [], [unknown("domain.sender", what, "it is not known", mend)]
    try:
        ipaddress.ip_address(host)
        found = [host]
    except ValueError:
        try:
            found = resolver.addresses(host)
        except Unsure as trouble:
            return [], [unknown("domain.sender", f"the addresses of {host}", trouble)]
    public = [address for address in found if is_public(address)][:MOST_ADDRESSES]
    if public:
        return public, []
    reason = f"{host} has no address in the Internet" if found else f"{host} has no address"
    return [], [unknown("domain.sender", what, reason, mend)]


def is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    unusable = ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast
    return not (unusable or any(ip in block for block in INSIDE))


def ptr(resolver: Resolver, address: str, explicit: bool) -> Iterator[Finding]:
    """Whether a sending address has a name that leads back to it.

    :param explicit: whether the host is known to send, and is not only the one that mail is given to.
    """
    try:
        names = resolver.names_of(address)[:MOST_ADDRESSES]
        back = [name for name in names if address in resolver.addresses(name)]
    except Unsure as trouble:
        yield unknown("domain.ptr", f"whether {address} has a name", trouble)
        return
    what = f"is called {names[0]}, but that name does not lead back" if names else "has no name (PTR record)"
    if back:
        yield tell("domain.ptr", address=address, name=back[0])
    elif explicit:
        pointer = ipaddress.ip_address(address).reverse_pointer
        yield tell("domain.ptr.none", address=address, what=what, pointer=pointer)
    else:
        mend = "If MAIL_SERVER only takes your mail, set OPTOUT_SENDING_HOST to the host that delivers it."
        reason = f"{address}, which may be a relay, {what}"
        yield unknown("domain.ptr", "whether the host that delivers your mail has a name", reason, mend)


def helo(resolver: Resolver, name: str, addresses: list[str]) -> Iterator[Finding]:
    """Whether the name that the sending host gives itself is one, and leads to it."""
    try:
        found = resolver.addresses(name)
    except Unsure as trouble:
        yield unknown("domain.helo", f"whether {name} leads to the sending host", trouble)
        return
    if set(found) & set(addresses) or (found and not addresses):
        yield tell("domain.helo", name=name)
    else:
        yield tell("domain.helo.other", name=name, what="leads to another host" if found else "has no address")


def block_lists(
    resolver: Resolver, lists: Sequence[str], addresses: list[str], domains: list[str]
) -> Iterator[Finding]:
    """Whether block lists in DNS name a sending address or a domain (RFC 5782)."""
    subjects = {_reversed(address): address for address in addresses} | {domain: domain for domain in domains}
    for zone in lists:
        listed = []
        try:
            for name, subject in subjects.items():
                answers = [ipaddress.ip_address(found.address) for found in resolver.records(f"{name}.{zone}", "A")]
                if any(answer in REFUSED for answer in answers):
                    raise Unsure("it does not answer this nameserver: ask through one of your own")
                if any(answer.is_loopback and str(answer) != NOT_MINE for answer in answers):
                    listed.append(subject)
        except Unsure as trouble:
            yield unknown("domain.block-list", f"what {zone} lists", trouble)
            continue
        for subject in listed:
            yield tell("domain.block-list.listed", zone=zone, subject=subject)
        if not listed:
            yield tell("domain.block-list", zone=zone)


def _reversed(address: str) -> str:
    return ipaddress.ip_address(address).reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")


def encryption(resolver: Resolver, domain: str) -> Iterator[Finding]:
    """What the domain's MTA-STS and TLS-RPT records say, where it has them."""
    checkdmarc.utils.DNS_CACHE.clear()
    asking: dict[str, Any] = {"resolver": resolver, "nameservers": resolver.nameservers, "retries": 0, "timeout": 2}
    tls = checkdmarc.smtp_tls_reporting
    for kind, query, parse, errors, missing in (
        (
            "MTA-STS",
            checkdmarc.mta_sts.query_mta_sts_record,
            checkdmarc.mta_sts.parse_mta_sts_record,
            checkdmarc.mta_sts.MTASTSError,
            checkdmarc.mta_sts.MTASTSRecordNotFound,
        ),
        (
            "TLS-RPT",
            tls.query_smtp_tls_reporting_record,
            tls.parse_smtp_tls_reporting_record,
            tls.SMTPTLSReportingError,
            tls.SMTPTLSReportingRecordNotFound,
        ),
    ):
        before = len(resolver.trouble)
        try:
            parse(query(domain, **asking)["record"])
        except errors as error:
            if not (isinstance(error, missing) or resolver.trouble[before:]):
                yield tell("domain.encryption.wrong", kind=kind, domain=domain, reason=error)
            continue
        yield tell("domain.encryption", kind=kind, domain=domain)

"""MX and PTR: can replies and bounces come back, and has the sending host a name?"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from .finding import Finding, Severity, ok, unknown
from .resolver import Resolver, Unsure

PAGE = "https://support.google.com/a/answer/81126"
MOST_ADDRESSES = 4


def mx(resolver: Resolver, domain: str) -> Iterator[Finding]:
    """Whether a domain that invitations come from takes mail."""
    try:
        hosts = {record.exchange.to_text(omit_final_dot=True).lower() for record in resolver.records(domain, "MX")}
        if hosts == {"."} or hosts == {""}:
            yield _no_mail(domain, "refuses all mail (a null MX)", "RFC 7505 section 4.2")
        elif not hosts and not resolver.addresses(domain):
            yield _no_mail(domain, "takes no mail: it has no MX record and no address", "RFC 5321 section 5.1")
        elif not hosts:
            yield ok("domain.mx", f"{domain} takes mail at its own address (it has no MX record).")
        else:
            first = sorted(hosts)[:MOST_ADDRESSES]
            lost = [host for host in first if not resolver.addresses(host)]
            if len(lost) == len(first):
                yield _no_mail(domain, f"takes no mail: {lost[0]} has no address", "RFC 5321 section 5.1")
            else:
                yield ok("domain.mx", f"{domain} takes mail at {', '.join(first)}.")
    except Unsure as trouble:
        yield unknown("domain.mx", f"whether {domain} takes mail", str(trouble))


def _no_mail(domain: str, what: str, source: str) -> Finding:
    return Finding(
        "domain.mx",
        Severity.FAIL,
        f"{domain} {what}.",
        "Candidates' answers and bounces are lost, and many servers refuse mail from a domain that takes none.",
        "Publish where its mail goes.",
        source,
        paste=f"{domain}. IN MX 10 (your mail server).",
    )


def senders(resolver: Resolver, host: str | None) -> tuple[list[str], list[Finding]]:
    """The public addresses of the sending host, and what keeps us from knowing them."""
    mend = "Set OPTOUT_SENDING_HOST to the name or address of the host that delivers your mail."
    if not host:
        return [], [unknown("domain.sender", "whether the sending host may send", "it is not known", mend)]
    try:
        ipaddress.ip_address(host)
        found = [host]
    except ValueError:
        try:
            found = resolver.addresses(host)
        except Unsure as trouble:
            return [], [unknown("domain.sender", f"the addresses of {host}", str(trouble))]
    public = [address for address in found if _is_public(address)][:MOST_ADDRESSES]
    if public:
        return public, []
    reason = f"{host} has no address in the Internet" if found else f"{host} has no address"
    return [], [unknown("domain.sender", "whether the sending host may send", reason, mend)]


def _is_public(address: str) -> bool:
    # The blocks for documentation count: nothing else tells a test from the Internet.
    ip = ipaddress.ip_address(address)
    return not (ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast or _is_inside(ip))


def _is_inside(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    inside = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
    return any(ip in ipaddress.ip_network(block) for block in inside)


def ptr(resolver: Resolver, address: str) -> Iterator[Finding]:
    """Whether a sending address has a name that leads back to it."""
    try:
        names = resolver.names_of(address)[:MOST_ADDRESSES]
        back = [name for name in names if address in resolver.addresses(name)]
    except Unsure as trouble:
        yield unknown("domain.ptr", f"whether {address} has a name", str(trouble))
        return
    if back:
        yield ok("domain.ptr", f"{address} is {back[0]}, and back.")
        return
    what = f"is called {names[0]}, but that name does not lead back" if names else "has no name (PTR record)"
    yield Finding(
        "domain.ptr",
        Severity.FAIL,
        f"The sending host {address} {what}.",
        "Gmail and others refuse mail from a host without a name that leads back to it.",
        "Ask whoever gave you the address for this record, and publish the same name with this address.",
        f"RFC 1912 section 2.1; {PAGE}",
        paste=f"{ipaddress.ip_address(address).reverse_pointer}. IN PTR (its host name).",
    )

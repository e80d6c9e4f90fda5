"""A real DNS server on loopback, over UDP and TCP, that serves zones given as a table."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.TXT import TXT

from tests.support.hosts import free_port

#: A record's text, or the strings of a TXT record.
Rdata = str | Sequence[bytes]
#: ``{"example.org TXT": ["v=spf1 -all"]}``
Zone = Mapping[str, Sequence[Rdata]]
#: In a zone: answer nothing at all, or that the server failed.
SILENCE = "SILENCE"
SERVFAIL = "SERVFAIL"
MOST_ALIASES = 12


class Nameserver:
    """Answers from a zone; names that it does not hold do not exist."""

    def __init__(self, zone: Zone) -> None:
        self.zone = dict(zone)
        self.asked: list[str] = []
        self.address = ("127.0.0.1", free_port())

    def answer(self, wire: bytes, longest: int) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        reply = dns.message.make_response(query, recursion_available=True)
        owner = question.name
        name = _text(owner)
        self.asked.append(f"{name} {kind}")
        for _ in range(MOST_ALIASES):
            if f"{name} CNAME" not in self.zone:
                break
            target = _rdata(dns.rdatatype.CNAME, self.zone[f"{name} CNAME"][0])
            reply.answer.append(dns.rrset.from_rdata(owner, 60, target))
            owner = target.target  # type: ignore[attr-defined]
            name = _text(owner)
        found = self.zone.get(f"{name} {kind}", self.zone.get(f"* {kind}", ()))
        if SILENCE in found:
            return None
        if SERVFAIL in found:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            rrset = dns.rrset.RRset(owner, dns.rdataclass.IN, question.rdtype)
            rrset.update_ttl(60)
            for value in found:
                rrset.add(_rdata(question.rdtype, value))
            reply.answer.append(rrset)
        elif not reply.answer and not any(
            held.partition(" ")[0] == name or held.partition(" ")[0].endswith(f".{name}") for held in self.zone
        ):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        try:
            return reply.to_wire(max_size=longest)
        except dns.exception.TooBig:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            return reply.to_wire()


def _text(name: dns.name.Name) -> str:
    return b".".join(name.labels[:-1]).decode("latin-1").lower()


def _rdata(kind: dns.rdatatype.RdataType, value: Rdata) -> dns.rdata.Rdata:
    if kind != dns.rdatatype.TXT:
        assert isinstance(value, str)
        return dns.rdata.from_text(dns.rdataclass.IN, kind, value)
    if isinstance(value, str):
        octets = value.encode()
        value = [octets[at : at + 255] for at in range(0, len(octets), 255)] or [b""]
    return TXT(dns.rdataclass.IN, kind, list(value))


@contextmanager
def dns_server(zone: Zone) -> Iterator[Nameserver]:
    """Serve a zone; gives the server, with its address and port."""
    nameserver = Nameserver(zone)

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, socket = self.request
            if (reply := nameserver.answer(wire, 1232)) is not None:
                socket.sendto(reply, self.client_address)

    class Tcp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            size = self.rfile.read(2)
            if len(size) == 2:
                reply = nameserver.answer(self.rfile.read(*struct.unpack("!H", size)), 65_535)
                if reply is not None:
                    self.wfile.write(struct.pack("!H", len(reply)) + reply)

    servers: list[socketserver.BaseServer] = [
        socketserver.ThreadingUDPServer(nameserver.address, Udp),
        socketserver.ThreadingTCPServer(nameserver.address, Tcp),
    ]
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        for server in servers
    ]
    for thread in threads:
        thread.start()
    try:
        yield nameserver
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()

"""DNS messages in and out of bytes, by `dnslib`: pure. RFC 1035; RFC 2308 for how long a name is missing."""

import struct
from collections.abc import Iterable
from ipaddress import IPv6Address

from dnslib import AAAA, CNAME, PTR, QTYPE, RCODE, RR, SOA, SRV, TXT, A, DNSError, DNSRecord

from nodeagent.network.dns.zone import MISSING, TTL, Answer, Record, Zone

MAX_UDP = 1232
"""Bytes that fit every path without fragments (https://www.dnsflagday.net/2020/): no client gets more at once."""
PLAIN_UDP = 512
_HEADER, _POINTER = 12, 0xC0
NXDOMAIN, SERVFAIL, NOTIMP = RCODE.NXDOMAIN, RCODE.SERVFAIL, RCODE.NOTIMP
_DATA = {"A": A, "AAAA": AAAA, "PTR": PTR, "CNAME": CNAME, "TXT": TXT}


UNREADABLE = (DNSError, ValueError, IndexError, KeyError, UnicodeError)
"""What `dnslib` raises for bytes that are no message."""


class NoQuestion(Exception):
    """Bytes that are no DNS question."""


class NotReadable(Exception):
    """A server's answer that is none."""


def question(packet: bytes) -> DNSRecord:
    """Raises `NoQuestion`."""
    try:
        asked = DNSRecord.parse(packet)
    except UNREADABLE as error:
        raise NoQuestion(str(error)) from None
    if asked.header.qr or len(asked.questions) != 1:
        raise NoQuestion("one question, and no answer, is expected")
    return asked


def name_of(asked: DNSRecord) -> str:
    return str(asked.q.qname).rstrip(".").lower()


def type_of(asked: DNSRecord) -> str:
    return str(QTYPE.get(asked.q.qtype, "")) if asked.q.qtype in QTYPE.forward else ""


def answered(asked: DNSRecord, zone: Zone, domain: str) -> bytes | None:
    """The zone's answer; None where the name is not the zone's."""
    name, type_ = name_of(asked), type_of(asked)
    if asked.header.opcode:
        return refused(asked, NOTIMP)
    if zone.has(name):
        return _packed(asked, zone.answer(name, type_), domain)
    if (address := reversed_address(name)) and (names := zone.reverse(address)):
        return _packed(asked, Answer(tuple(Record(name, "PTR", one) for one in names if type_ == "PTR")), domain)
    return None


def alias(asked: DNSRecord, zone: Zone) -> str:
    """The other name that stands for the one asked for, where its addresses are wanted; empty where there is none."""
    if not zone.has_aliases:
        return ""
    name, type_ = name_of(asked), type_of(asked)
    if type_ not in ("A", "AAAA") or not zone.has(name):
        return ""
    return next((one.value for one in zone.answer(name, type_).records if one.type == "CNAME"), "")


def asking_for(name: str, asked: DNSRecord) -> bytes:
    """The same question about another name."""
    return bytes(DNSRecord.question(name, type_of(asked)).pack())


def followed(asked: DNSRecord, target: str, packet: bytes) -> bytes:
    """The other name, and what a server has said of it. Raises `NotReadable`."""
    reply = asked.reply(ra=1, aa=0)
    reply.add_answer(_written(Record(name_of(asked), "CNAME", target)))
    try:
        other = DNSRecord.parse(packet)
    except UNREADABLE as error:
        raise NotReadable(str(error)) from None
    reply.add_answer(*other.rr)
    reply.header.rcode = other.header.rcode
    return bytes(reply.pack())


def refused(asked: DNSRecord, code: int) -> bytes:
    reply = asked.reply(ra=1, aa=0)
    reply.header.rcode = code
    return bytes(reply.pack())


def reversed_address(name: str) -> str:
    """The address of a name under `in-addr.arpa` or `ip6.arpa`; empty for any other name. RFC 3596."""
    if name.endswith(".in-addr.arpa"):
        return ".".join(name.removesuffix(".in-addr.arpa").split(".")[::-1])
    if name.endswith(".ip6.arpa"):
        digits = "".join(name.removesuffix(".ip6.arpa").split(".")[::-1])
        return _shortened(digits)
    return ""


def _shortened(digits: str) -> str:
    try:
        return str(IPv6Address(int(digits, 16))) if len(digits) == 32 else ""
    except ValueError:
        return ""


def _packed(asked: DNSRecord, found: Answer, domain: str) -> bytes:
    reply = asked.reply(ra=1, aa=1)
    for record in found.records:
        reply.add_answer(_written(record))
    for record in found.additional:
        reply.add_ar(_written(record))
    if found == MISSING:
        reply.header.rcode = NXDOMAIN
    if not found.records:
        times = (1, 7200, 1800, 86400, TTL)
        reply.add_auth(RR(domain, QTYPE.SOA, ttl=TTL, rdata=SOA(f"ns.dns.{domain}", f"hostmaster.{domain}", times)))
    return bytes(reply.pack())


def _written(record: Record) -> RR:
    if record.type == "SRV":
        priority, weight, port, target = record.value.split(" ")
        data = SRV(int(priority), int(weight), int(port), target)
    else:
        data = _DATA[record.type](record.value)
    return RR(record.name, getattr(QTYPE, record.type), ttl=TTL, rdata=data)


def holds_seconds(packet: bytes) -> float:
    """For how long another server's answer may be kept: its shortest time, or that of the authority's denial."""
    try:
        reply = DNSRecord.parse(packet)
    except UNREADABLE:
        return 0
    if reply.header.rcode not in (0, NXDOMAIN) or reply.header.tc:
        return 0
    if reply.rr:
        return float(min(one.ttl for one in reply.rr))
    denials = [min(one.ttl, one.rdata.times[4]) for one in reply.auth if one.rtype == QTYPE.SOA]
    return float(min(denials, default=0))


def times(packet: bytes) -> tuple[int, ...]:
    """Where the times of a message's records are, so that they can be changed without reading it all again.

    `packet` has been read before. RFC 1035, section 4.1.3; an OPT record has none.
    """
    questions, *records = struct.unpack_from("!4H", packet, 4)
    at = _HEADER
    for _ in range(questions):
        at = _past_name(packet, at) + 4
    found = []
    for _ in range(sum(records)):
        at = _past_name(packet, at)
        type_, _, _, length = struct.unpack_from("!HHIH", packet, at)
        if type_ != QTYPE.OPT:
            found.append(at + 4)
        at += 10 + length
    return tuple(found)


def _past_name(packet: bytes, at: int) -> int:
    """Labels end with an empty one, or with a pointer to where the others are."""
    while (length := packet[at]) and length < _POINTER:
        at += 1 + length
    return at + (2 if length else 1)


def aged(packet: bytes, at: Iterable[int], id_: bytes, seconds: int) -> bytes:
    """A held answer for another client: with its id, and with what has passed taken off the times (`at`)."""
    if seconds <= 0:
        return id_ + packet[2:]
    older = bytearray(packet)
    older[:2] = id_
    for one in at:
        (left,) = struct.unpack_from("!I", packet, one)
        struct.pack_into("!I", older, one, max(0, left - seconds))
    return bytes(older)


def cut(packet: bytes, asked: DNSRecord) -> bytes:
    """What fits a datagram to this client; with the mark that there is more, where it does not."""
    room = max((min(one.edns_len, MAX_UDP) for one in asked.ar if one.rtype == QTYPE.OPT), default=PLAIN_UDP)
    if len(packet) <= max(room, PLAIN_UDP):
        return packet
    reply = DNSRecord.parse(packet).truncate()
    return packet[:2] + bytes(reply.pack())[2:]

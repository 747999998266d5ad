# SPDX-License-Identifier: Apache-2.0
"""Segments as scripts write them, and packets as they are: what script.py puts into the door and takes out of it.

A segment: [noecn|ect0|ect1|ce] FLAGS first:last(len) ack N win N urg N <option,...>; FLAGS of FSRP.UEW, - for none;
without <>, or with <...>, what comes out may have any options, without win any window. Sequence numbers are relative
to each side's SYN. An ICMP error: icmp unreachable|time_exceeded|packet_too_big CODE mtu N [first:last(len)].
"""
import re
import socket
import struct

ADDRESSES = {4: ("192.168.0.1", "192.0.2.1"), 6: ("fd3d:fa7b:d17d::1", "2001:db8::1")}
PORT, PEER_PORT, PEER_ISN = 8080, 45678, 7_000_000
ECN = ["noecn", "ect1", "ect0", "ce"]
FLAGS = "FSRP.UEW"  # from the lowest bit of the TCP header's on
ICMP = {4: {"unreachable": 3, "time_exceeded": 11}, 6: {"unreachable": 1, "packet_too_big": 2, "time_exceeded": 3}}
CODES = {4: {"net_unreachable": 0, "host_unreachable": 1, "protocol_unreachable": 2, "port_unreachable": 3,
             "frag_needed": 4, "source_route_failed": 5, "net_unknown": 6, "host_unknown": 7, "net_prohibited": 9,
             "host_prohibited": 10, "packet_filtered": 13},
         6: {"no_route": 0, "net_unreachable": 0, "admin_prohibited": 1, "address_unreachable": 3,
             "host_unreachable": 3, "port_unreachable": 4}}


class Failed(Exception):
    pass


SEGMENT = re.compile(r"(?:\[(noecn|ect1|ect0|ce)\] ?)?([FSRP.UEW]+|-) ?(?:(\d+):(\d+) ?\((\d+)\))?(?: ?ack (\d+))?"
                     r"(?: win (\d+))?(?: urg (\d+))?(?: ?<(.*)>)?$")


class Segment:
    """Numbers are relative here; ack None without ACK; window, options and ecn None where nothing is said of them."""

    def __init__(self, flags, seq, length, ack, window, urgent, options, ecn=None):
        self.ecn, self.flags, self.seq, self.length, self.ack = ecn, flags, seq, length, ack
        self.window, self.urgent, self.options = window, urgent, options

    @classmethod
    def read(cls, text):
        match = SEGMENT.match(text)
        if not match or (match[5] and int(match[4]) - int(match[3]) != int(match[5])):
            raise Failed(f"no segment: {text}")
        ecn, flags, seq, _, length, ack, window, urgent, options = match.groups()
        options = None if options in (None, "...") else [word.strip() for word in options.split(",") if word.strip()]
        return cls(frozenset(flags) - {"-"}, int(seq or 0), int(length or 0), ack and int(ack), window and int(window),
                   int(urgent or 0), options, ECN.index(ecn) if ecn else None)

    def __str__(self):
        text = "" if self.ecn is None else f"[{ECN[self.ecn]}] "
        text += "".join(flag for flag in "SFRPEWU." if flag in self.flags)
        text += f" {self.seq}:{self.seq + self.length}({self.length})"
        text += f" ack {self.ack}" if self.ack is not None else ""
        text += f" win {self.window}" if self.window is not None else ""
        return text + ("" if self.options is None else f" <{','.join(self.options)}>")

    def append(self, other):
        """Segments of one burst, as the kernel would hand it down in one piece for segmentation: the last's flags but
        for CWR."""
        if other.seq != self.seq + self.length or (other.flags ^ self.flags) - {"P", "F", "W"}:
            raise Failed(f"came out: {other} after {self}")
        self.flags = other.flags - {"W"} | self.flags & {"W"}
        self.length += other.length

    def equal(self, wanted):
        same = (self.flags, self.seq, self.length, self.ack) == (wanted.flags, wanted.seq, wanted.length, wanted.ack)
        if wanted.window is not None:
            same &= self.window == wanted.window
        if wanted.options is not None:
            same &= len(self.options) == len(wanted.options) and all(map(option_equal, self.options, wanted.options))
        if wanted.ecn is not None:
            same &= self.ecn == wanted.ecn
        return same and ("U" not in wanted.flags or self.urgent == wanted.urgent)


# ---- options -----------------------------------------------------------------------------------------------
def option_equal(got, wanted):
    """A star stands for any number. Timestamps are translated, and looked at, by Stamps."""
    return re.fullmatch(re.escape(wanted).replace(r"\*", r"\d+"), got) is not None


def options_write(words, isn):
    out = b""
    for word in words:
        name, *numbers = word.replace(":", " ").replace("val", "").replace("ecr", "").split()
        values = [int(text) for text in numbers]
        if name == "sack":
            values = [(value + isn) & 0xFFFFFFFF for value in values]
        out += {"mss": lambda: struct.pack("!BBH", 2, 4, *values), "nop": lambda: b"\x01", "eol": lambda: b"\x00",
                "sackOK": lambda: b"\x04\x02", "wscale": lambda: struct.pack("!BBB", 3, 3, *values),
                "TS": lambda: struct.pack("!BBII", 8, 10, *values),
                "sack": lambda: struct.pack(f"!BB{len(values)}I", 5, 2 + 4 * len(values), *values)}[name]()
    return out + b"\x00" * (-len(out) % 4)


def options_read(data, isn):
    words = []
    while data and data[0]:
        kind, length = data[0], 1 if data[0] == 1 else data[1]
        body, data = data[2:length], data[length:]
        if kind == 5:
            edges = [(edge - isn) & 0xFFFFFFFF for edge in struct.unpack(f"!{len(body) // 4}I", body)]
            words.append("sack " + " ".join(f"{a}:{b}" for a, b in zip(edges[::2], edges[1::2])))
        else:
            words.append({1: lambda: "nop", 2: lambda: f"mss {struct.unpack('!H', body)[0]}", 4: lambda: "sackOK",
                          3: lambda: f"wscale {body[0]}",
                          8: lambda: "TS val %d ecr %d" % struct.unpack("!II", body)}[kind]())
    return words


class Stamps:
    """Timestamps of ours: what a script calls them, and what they are. Without a tick (--tcp_ts_tick_usecs) each value
    of the script names the one that came out in its place; with it, all count from the first."""

    def __init__(self, tick_us):
        self.tick_us, self.named, self.first, self.last = tick_us, {}, None, 0

    def came_out(self, got, wanted, tolerance_us):
        """`got` in the script's numbers."""
        for i, word in enumerate(got):
            if not word.startswith("TS"):
                continue
            value, echo = map(int, re.findall(r"\d+", word))
            self.last = value
            name = wanted and next((re.match(r"TS val (\d+)", w) for w in wanted if w.startswith("TS")), None)
            if not name:
                continue
            said = int(name[1])
            self.named[said], self.first = value, self.first or (said, value)
            off_us = (value - self.first[1] - (said - self.first[0])) * (self.tick_us or 0)
            if abs(off_us) <= tolerance_us:
                got[i] = f"TS val {said} ecr {echo}"
        return got

    def goes_in(self, words):
        def echo(match):
            if match[2] == "*":
                return match[1] + str(self.last)
            name = int(match[2])
            return match[1] + str(self.named.get(name, name + self.first[1] - self.first[0] if self.first else name))

        return [re.sub(r"(TS val \d+ ecr )(\d+|\*)", echo, word) for word in words]


# ---- packets -----------------------------------------------------------------------------------------------
def checksum(data):
    data += b"\x00" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def pseudo(source, destination, length, protocol=6):
    return source + destination + struct.pack("!HH" if len(source) == 4 else "!II", protocol, length)


class Wire:
    """Segments to packets and back; knows both initial sequence numbers, and the ports of the connection under test."""

    def __init__(self, version, tick_us=None):
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        self.version, self.tick_us = version, tick_us
        self.local, self.remote = (socket.inet_pton(family, address) for address in ADDRESSES[version])
        self.peer_port = PEER_PORT - 1
        self.begin()

    def begin(self, connecting=False):
        """Another connection: as packetdrill, the one before is no longer looked at."""
        self.peer_port = PEER_PORT if connecting else self.peer_port + 1
        self.local_port, self.isn, self.stamps = None if connecting else PORT, 0, Stamps(self.tick_us)

    def ip(self, source, destination, protocol, payload, ecn=0):
        if self.version == 6:
            return struct.pack("!IHBB", 6 << 28 | ecn << 20, len(payload), protocol, 64) + source + destination + payload
        head = struct.pack("!BBHHHBBH", 0x45, ecn, min(20 + len(payload), 65535), 0, 0, 64, protocol, 0)
        head += source + destination
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload

    def packet(self, segment):
        bits = sum(1 << FLAGS.index(flag) for flag in segment.flags)
        ack = (segment.ack + self.isn) & 0xFFFFFFFF if segment.ack is not None else 0
        options = options_write(self.stamps.goes_in(segment.options or []), self.isn)
        offset = 5 + len(options) // 4 << 4
        tcp = struct.pack("!HHIIBBHHH", self.peer_port, self.local_port or PORT, (PEER_ISN + segment.seq) & 0xFFFFFFFF,
                          ack, offset, bits, segment.window or 0, 0, segment.urgent) + options + bytes(segment.length)
        total = checksum(pseudo(self.remote, self.local, len(tcp)) + tcp)
        tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
        return self.ip(self.remote, self.local, 6, tcp, segment.ecn or 0)

    def icmp(self, text):
        quoted = re.search(r"\[(\d+):\d+\((\d+)\)\]", text)  # before it or behind it; without one, the SYN
        match = re.match(r"icmp (\w+)(?: (\w+))?(?: mtu (\d+))?$", re.sub(r" ?\[.*\] ?", "", text))
        if not match or match[1] not in ICMP[self.version]:
            raise Failed(f"no ICMP error: {text}")
        seq, size = map(int, quoted.groups()) if quoted else (0, 0)
        kind = "packet_too_big" if self.version == 6 and match[2] == "frag_needed" else match[1]
        code = CODES[self.version].get(match[2], 0)
        mtu = int(match[3] or 0)
        tcp = struct.pack("!HHI", self.local_port, self.peer_port, (self.isn + seq) & 0xFFFFFFFF)
        quote = self.ip(self.local, self.remote, 6, tcp + bytes(size + 12))[:60 if self.version == 6 else 28]
        body = struct.pack("!BBHI", ICMP[self.version][kind], 0 if kind == "packet_too_big" else code, 0, mtu) + quote
        source = self.remote
        total = checksum(body if self.version == 4 else pseudo(source, self.local, len(body), 58) + body)
        return self.ip(source, self.local, 1 if self.version == 4 else 58, body[:2] + struct.pack("!H", total) + body[4:])

    def segment(self, packet, wanted, tolerance_us):
        """None: of another connection."""
        tcp = packet[20 if self.version == 4 else 40:]
        if checksum(pseudo(self.local, self.remote, len(tcp)) + tcp) or (self.version == 4 and checksum(packet[:20])):
            raise Failed(f"a checksum is wrong: {packet.hex()}")
        port, peer, seq, ack, offset, bits, window, _, urgent = struct.unpack("!HHIIBBHHH", tcp[:20])
        flags = frozenset(flag for i, flag in enumerate(FLAGS) if bits >> i & 1)
        if peer != self.peer_port or (self.local_port != port and not (self.local_port is None and "S" in flags)):
            return None
        if "S" in flags:
            self.isn, self.local_port = seq, port
        header = (offset >> 4) * 4
        options = options_read(tcp[20:header], PEER_ISN)
        return Segment(flags, (seq - self.isn) & 0xFFFFFFFF, len(tcp) - header,
                       (ack - PEER_ISN) & 0xFFFFFFFF if "." in flags else None, window, urgent,
                       self.stamps.came_out(options, wanted.options, tolerance_us),
                       packet[1] & 3 if self.version == 4 else packet[1] >> 4 & 3)

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs scripts in a small part of packetdrill's language through the door: script.py LIBRARY FILE...

A line is a time and an event. Times: 1.5 (since the script began), +0.2 (since the last event), 1.0...1.2 (a call that
blocks: begin and return, both since the last event behind a +); what comes out must do so within TOLERANCE. Events:
`< SEGMENT` arrives, `> SEGMENT` comes out, `call(arguments) = result ERRNO`. A first line `--so_flags=WORDS` sets
flags, `--ip_version=ipv6` the family; // begins a comment. Segments: [noecn|ect0|ect1|ce] FLAGS first:last(len) ack N
win N urg N <option,...>; without <> options are not looked at, without win the window is not. Sequence numbers are
relative to each side's SYN. Not the whole language: a word that is not understood ends the run.
"""
import ctypes
import errno
import re
import socket
import struct
import sys
import threading
import time

TOLERANCE_US = 4000
ADDRESSES = {4: ("192.168.0.1", "192.0.2.1"), 6: ("fd3d:fa7b:d17d::1", "2001:db8::1")}
PORT, PEER_PORT, PEER_ISN = 8080, 45678, 7_000_000
MEMBERS = """free socket bind listen accept connect read readv recv recvfrom recvmsg write writev send sendto sendmsg
fcntl ioctl close shutdown getsockopt setsockopt poll netdev_send netdev_receive usleep gettimeofday epoll_create
epoll_ctl epoll_wait pipe splice""".split()
NAMES = {name: value for name, value in vars(socket).items() if name.isupper() and isinstance(value, int)}
NAMES |= {"F_GETFL": 3, "F_SETFL": 4, "O_RDWR": 2, "O_NONBLOCK": 0o4000, "SIOCINQ": 0x541B, "FIONREAD": 0x541B,
          "SIOCOUTQ": 0x5411, "TCP_USER_TIMEOUT": 18, "TCP_QUICKACK": 12, "TCP_MAXSEG": 2,
          "TCP_CORK": 3, "MSG_MORE": 0x8000, "SOL_TCP": 6}
ECN = ["noecn", "ect1", "ect0", "ce"]
FLAGS = "FSRP.UEW"  # from the lowest bit of the TCP header's on


class Failed(Exception):
    pass


class Door:
    """The table, by name: door.call("read", fd, buffer, len) returns (result, errno)."""

    def __init__(self, library, flags):
        self.table = (ctypes.c_void_p * (1 + len(MEMBERS)))()
        ctypes.CDLL(library).packetdrill_interface_init(flags.encode(), ctypes.byref(self.table))
        if not self.table[0]:
            raise Failed(f"no door with flags {flags!r}")

    def call(self, name, *arguments):
        function = ctypes.CFUNCTYPE(ctypes.c_ssize_t, use_errno=True)(self.table[1 + MEMBERS.index(name)])
        arguments = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
        result = function(ctypes.c_void_p(self.table[0]), *arguments)
        if name not in ("read", "write", "send", "recv"):  # those that return an int, not an ssize_t
            result = ctypes.c_int(result).value
        return result, ctypes.get_errno()

    def now_us(self):
        pair = (ctypes.c_long * 2)()
        self.call("gettimeofday", ctypes.byref(pair), None)
        return pair[0] * 1_000_000 + pair[1]


# ---- segments ----------------------------------------------------------------------------------------------
SEGMENT = re.compile(r"(?:\[(noecn|ect1|ect0|ce)\] )?([FSRP.UEW]+) ?(?:(\d+):(\d+)\((\d+)\))?(?: ?ack (\d+))?"
                     r"(?: win (\d+))?(?: urg (\d+))?(?: <(.*)>)?$")


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
        return cls(frozenset(flags), int(seq or 0), int(length or 0), ack and int(ack), window and int(window),
                   int(urgent or 0), None if options is None else [word.strip() for word in options.split(",") if word],
                   ECN.index(ecn) if ecn else None)

    def __str__(self):
        text = "" if self.ecn is None else f"[{ECN[self.ecn]}] "
        text += "".join(flag for flag in "SFRPEWU." if flag in self.flags)
        text += f" {self.seq}:{self.seq + self.length}({self.length})"
        text += f" ack {self.ack}" if self.ack is not None else ""
        text += f" win {self.window}" if self.window is not None else ""
        return text + ("" if self.options is None else f" <{','.join(self.options)}>")


def options_write(words, isn, echo):
    """`echo` is what a star of `TS val N ecr *` stands for."""
    out = b""
    for word in words:
        name, *numbers = word.replace(":", " ").replace("val", "").replace("ecr", "").split()
        values = [echo if text == "*" else int(text) for text in numbers]
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


def checksum(data):
    data += b"\x00" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def pseudo(source, destination, length):
    return source + destination + struct.pack("!HH" if len(source) == 4 else "!II", 6, length)


class Wire:
    """Segments to packets and back; knows both initial sequence numbers."""

    def __init__(self, version):
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        self.version = version
        self.local, self.remote = (socket.inet_pton(family, address) for address in ADDRESSES[version])
        self.local_port, self.isn, self.stamp = PORT, 0, 0

    def packet(self, segment):
        bits = sum(1 << FLAGS.index(flag) for flag in segment.flags)
        ack = (segment.ack + self.isn) & 0xFFFFFFFF if segment.ack is not None else 0
        options = options_write(segment.options or [], self.isn, self.stamp)
        offset = 5 + len(options) // 4 << 4
        tcp = struct.pack("!HHIIBBHHH", PEER_PORT, self.local_port, PEER_ISN + segment.seq, ack, offset, bits,
                          segment.window or 0, 0, segment.urgent) + options + bytes(segment.length)
        total = checksum(pseudo(self.remote, self.local, len(tcp)) + tcp)
        tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
        if self.version == 6:
            head = struct.pack("!IHBB", 6 << 28 | (segment.ecn or 0) << 20, len(tcp), 6, 64)
            return head + self.remote + self.local + tcp
        ip = struct.pack("!BBHHHBBH", 0x45, segment.ecn or 0, 20 + len(tcp), 0, 0, 64, 6, 0) + self.remote + self.local
        return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + tcp

    def segment(self, packet):
        tcp = packet[20 if self.version == 4 else 40:]
        if checksum(pseudo(self.local, self.remote, len(tcp)) + tcp) or (self.version == 4 and checksum(packet[:20])):
            raise Failed(f"a checksum is wrong: {packet.hex()}")
        port, _, seq, ack, offset, bits, window, _, urgent = struct.unpack("!HHIIBBHHH", tcp[:20])
        flags = frozenset(flag for i, flag in enumerate(FLAGS) if bits >> i & 1)
        if "S" in flags:
            self.isn, self.local_port = seq, port
        header = (offset >> 4) * 4
        options = options_read(tcp[20:header], PEER_ISN)
        self.stamp = next((int(word.split()[2]) for word in options if word.startswith("TS")), self.stamp)
        return Segment(flags, (seq - self.isn) & 0xFFFFFFFF, len(tcp) - header,
                       (ack - PEER_ISN) & 0xFFFFFFFF if "." in flags else None, window, urgent,
                       options, packet[1] & 3 if self.version == 4 else packet[1] >> 4 & 3)


def option_equal(got, expected):
    """`TS val * ecr *`: a star stands for any number."""
    return re.fullmatch(re.escape(expected).replace(r"\*", r"\d+"), got) is not None


def segment_equal(got, expected):
    same = (got.flags, got.seq, got.length, got.ack) == (expected.flags, expected.seq, expected.length, expected.ack)
    if expected.window is not None:
        same &= got.window == expected.window
    if expected.options is not None:
        same &= len(got.options) == len(expected.options) and all(map(option_equal, got.options, expected.options))
    if expected.ecn is not None:
        same &= got.ecn == expected.ecn
    return same and ("U" not in expected.flags or got.urgent == expected.urgent)


# ---- calls -------------------------------------------------------------------------------------------------
CALL = re.compile(r"(\w+)\((.*)\) = (-?\w+)(?: (E\w+))?(?: \(.*\))?$")


def number(text):
    if re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", text):
        return int(text, 0)
    value = 0
    for name in text.split("|"):
        if name not in NAMES:
            raise Failed(f"no number: {name}")
        value |= NAMES[name]
    return value


class Run:
    def __init__(self, library, text):
        flags = re.search(r"^--so_flags=(\S+)", text, re.M)
        self.version = 6 if "--ip_version=ipv6" in text else 4
        self.door, self.wire = Door(library, flags[1] if flags else ""), Wire(self.version)
        self.fds, self.blocked = {}, None
        self.begin_us = self.last_us = self.door.now_us()

    def address(self, ours):
        text, port = ADDRESSES[self.version][0 if ours else 1], PORT if ours else PEER_PORT
        if self.version == 4:
            data = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(text) + bytes(8)
        else:
            data = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0)
            data += socket.inet_pton(socket.AF_INET6, text) + bytes(4)
        return ctypes.create_string_buffer(data, len(data)), len(data)

    def arguments(self, name, words):
        """What the call is given, and a function that checks what it has filled in."""
        def check():
            if wanted is not None and value.value != wanted:
                raise Failed(f"{name} gave {value.value}")

        value, wanted = ctypes.c_int(), None
        if name == "socket":
            return [socket.AF_INET if self.version == 4 else socket.AF_INET6, *map(number, words[1:])], check
        fd = self.fds[int(words[0])]
        if name in ("bind", "connect"):
            return [fd, *self.address(name == "bind")], check
        if name == "accept":
            return [fd, None, None], check
        if name in ("read", "recv", "write", "send"):
            return [fd, ctypes.create_string_buffer(number(words[2]) or 1), *map(number, words[2:])], check
        if words[-1].startswith("["):
            if name == "getsockopt":
                wanted = number(words[3].strip("[]"))
                size = ctypes.c_uint(4)
                return [fd, number(words[1]), number(words[2]), ctypes.byref(value), ctypes.byref(size)], check
            wanted = number(words[-1].strip("[]"))
            return [fd, *map(number, words[1:-1]), ctypes.byref(value)], check
        if name == "setsockopt":
            value.value = number(words[3].strip("[]"))
            return [fd, number(words[1]), number(words[2]), ctypes.byref(value), number(words[4])], check
        return [fd, *map(number, words[1:])], check

    def call(self, text):
        match = CALL.match(text)
        if not match or match[1] not in MEMBERS:
            raise Failed(f"no call: {text}")
        name, words = match[1], [word.strip() for word in match[2].split(",")]
        arguments, check = self.arguments(name, words)
        result, error = self.door.call(name, *arguments)
        wanted = number(match[3])
        if name in ("socket", "accept") and result >= 0 and wanted >= 0:
            self.fds[wanted] = result
        elif result != wanted or (match[4] and error != getattr(errno, match[4])):
            raise Failed(f"result {result}, {errno.errorcode.get(error)}")
        check()

    def block(self, text, end_us):
        """On a thread of its own, as packetdrill does it; goes on when the thread has had time to block."""
        def work():
            try:
                self.call(text)
                self.on_time(self.door.now_us(), end_us, "return")
            except Failed as failure:
                self.blocked_failure = failure

        self.unblock()
        self.blocked_failure = None
        self.blocked = threading.Thread(target=work)
        self.blocked.start()
        time.sleep(0.05)

    def unblock(self):
        if self.blocked:
            self.blocked.join(10)
            if self.blocked_failure or self.blocked.is_alive():
                raise self.blocked_failure or Failed("the blocked call does not return")
        self.blocked = None

    # ---- events --------------------------------------------------------------------------------------------
    def on_time(self, at_us, wanted_us, what):
        if abs(at_us - wanted_us) > TOLERANCE_US:
            raise Failed(f"{what} at {(at_us - self.begin_us) / 1e6:.6f}, not {(wanted_us - self.begin_us) / 1e6:.6f}")

    def comes_out(self, text, wanted_us):
        buffer, size, at = ctypes.create_string_buffer(65536), ctypes.c_size_t(65536), ctypes.c_longlong()
        self.door.call("netdev_receive", buffer, ctypes.byref(size), ctypes.byref(at))
        if size.value == 0:
            raise Failed("nothing ever comes out")
        got, expected = self.wire.segment(buffer.raw[:size.value]), Segment.read(text)
        if not segment_equal(got, expected):
            raise Failed(f"came out: {got}")
        self.on_time(at.value, wanted_us, "came out")

    def event(self, begin, end, text):
        since_us = self.last_us if begin[0] == "+" else self.begin_us
        at_us = since_us + round(float(begin.lstrip("+")) * 1e6)
        if text[0] == ">":
            self.comes_out(text[2:], at_us)
        else:
            late_us = at_us - self.door.now_us()
            if late_us > 0:
                self.door.call("usleep", late_us)
        if text[0] == "<":
            packet = self.wire.packet(Segment.read(text[2:]))
            self.door.call("netdev_send", packet, len(packet))
        elif text[0] != ">" and end:
            self.block(text, since_us + round(float(end) * 1e6))
        elif text[0] != ">":
            self.call(text)
        self.last_us = max(at_us, self.last_us)

    def end(self):
        self.unblock()
        self.door.call("free")


LINE = re.compile(r"(\+?(?:\d+(?:\.\d+)?|\.\d+))(?:\.\.\.\+?(\d+(?:\.\d+)?|\.\d+))?\s+(.*)$")


def run(library, path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    script = Run(library, text)
    for i, line in enumerate(text.splitlines(), 1):
        line = re.sub(r"\s+", " ", line.split("//")[0]).strip()
        if not line or line.startswith("--"):
            continue
        match = LINE.match(line)
        try:
            if not match:
                raise Failed("not understood")
            script.event(*match.groups())
        except Failed as failure:
            raise Failed(f"{path}:{i}: {line}: {failure}") from None
    script.end()


def main():
    try:
        for path in sys.argv[2:]:
            run(sys.argv[1], path)
    except Failed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()

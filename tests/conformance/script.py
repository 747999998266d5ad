#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs scripts in a part of packetdrill's language through the door: script.py LIBRARY FILE...

A statement is a time and an event. Times: 1.5 (since the script began), +0.2 (since the last event), +.2~+.3 (between
them), * (any), 1.0...1.2 (a call that blocks: begin and return, both since the last event behind a +); what comes out
must do so within --tolerance_usecs. Events: `< SEGMENT` and `< icmp ...` arrive, `> SEGMENT` comes out (wire.py),
`call(arguments) = result ERRNO` (calls.py), `%{ Python }%` with what TCP_INFO and SO_MEMINFO tell. A SEGMENT that is
longer than those that come out stands for several, unless --strict_segments. Commands in backquotes are not run: the
sysctls in them become flags of the door, SYSCTLS tells which, and what is not among them is passed over.
--so_flags=WORDS sets flags, --ip_version=ipv6 the family; // begins a comment. Not the whole language: a word that is
not understood ends the run.
"""
import ctypes
import errno
import re
import sys
import textwrap
import threading
import time

import calls
from wire import Failed, Segment, Wire

TOLERANCE_US = 4000
ON_OFF = {"0": "off", "1": "on"}
SYSCTLS = {"tcp_timestamps": ("timestamps", ON_OFF), "tcp_sack": ("sack", ON_OFF),
           "tcp_window_scaling": ("wscale", ON_OFF),
           "tcp_ecn": ("ecn", {"0": "off", "1": "on", "2": "passive"}), "tcp_congestion_control": ("congestion", {}),
           "tcp_mtu_probing": ("mtu_probing", {"0": "off", "1": "on", "2": "on"}), "tcp_syn_retries": ("syn_retries", {}),
           "tcp_synack_retries": ("synack_retries", {}), "tcp_retries2": ("retries", {}),
           "tcp_syncookies": ("cookies", {"0": "never", "1": "auto", "2": "always"})}


class Door:
    """The table, by name: door.call("read", fd, buffer, len) returns (result, errno)."""

    def __init__(self, library, flags):
        self.table = (ctypes.c_void_p * (1 + len(calls.MEMBERS)))()
        ctypes.CDLL(library).packetdrill_interface_init(flags.encode(), ctypes.byref(self.table))
        if not self.table[0]:
            raise Failed(f"no door with flags {flags!r}")

    def call(self, name, *arguments):
        function = ctypes.CFUNCTYPE(ctypes.c_ssize_t, use_errno=True)(self.table[1 + calls.MEMBERS.index(name)])
        arguments = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
        result = function(ctypes.c_void_p(self.table[0]), *arguments)
        if name not in calls.LONG:
            result = ctypes.c_int(result).value
        return result, ctypes.get_errno()

    def now_us(self):
        pair = (ctypes.c_long * 2)()
        self.call("gettimeofday", ctypes.byref(pair), None)
        return pair[0] * 1_000_000 + pair[1]


# ---- statements --------------------------------------------------------------------------------------------
TIME = re.compile(r"(\*|\+?\d*\.?\d+)(?:\s*(~|\.\.\.)\s*(\+?\d*\.?\d+))?\s+")


def body_end(text, at):
    """Where the event that begins at `at` ends: a line, and those after it while a bracket is open."""
    for opening, closing in (("%{", "}%"), ("`", "`")):
        if text.startswith(opening, at):
            end = text.find(closing, at + len(opening))
            if end < 0:
                raise Failed(f"no {closing}")
            return end + len(closing)
    depth = 0
    while at < len(text) and (text[at] != "\n" or depth > 0):
        depth += (text[at] in "([{") - (text[at] in ")]}")
        at += 1
    return at


def statements(text):
    """(line, time, what joins it to the second time, second time, body); a time of None: an option or a command."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", lambda match: "\n" * match[0].count("\n"), text, flags=re.S)
    at = 0
    while True:
        at += len(text[at:]) - len(text[at:].lstrip())
        if at == len(text):
            return
        line = text.count("\n", 0, at) + 1
        when = TIME.match(text, at)
        if not when and not text.startswith(("--", "`"), at):
            raise Failed(f"{line}: not understood: {text[at:].splitlines()[0]}")
        at = when.end() if when else at
        end = body_end(text, at)
        yield line, *(when.groups() if when else (None, None, None)), text[at:end].strip()
        at = end


def option(text, name, default):
    found = re.search(rf"^--{name}(?:=(\S+))?", text, re.M)
    return default if not found else found[1] or True


def flags_of(text):
    """Of sysctls in commands, then of --so_flags, which comes later and rules."""
    words = []
    for command in re.findall(r"`([^`]*)`", text):
        if "defaults.sh" in command:
            words.append("suite=linux")
        for name, value in re.findall(r"net[./]ipv4[./](\w+)=\"?([\w ]+)", command):
            flag, values = SYSCTLS.get(name, (None, {}))
            if flag:
                words.append(f"{flag}={values.get(value.strip(), value.strip())}")
            elif name in ("tcp_rmem", "tcp_wmem") and len(value.split()) > 1:
                words.append(f"sndbuf={value.split()[1]}" if name == "tcp_wmem" else
                             f"rcvbuf_initial={int(value.split()[1]) // 2}")
    return ",".join(words + [option(text, "so_flags", "")]).strip(",")


# ---- a run -------------------------------------------------------------------------------------------------
CALL = re.compile(r"(\w+)\((.*)\)\s*=\s*(-?\w+)(?: (E\w+))?(?: \(.*\))?$", re.S)


class Run:
    def __init__(self, library, text):
        self.version = 6 if option(text, "ip_version", "ipv4") == "ipv6" else 4
        self.tolerance_us = int(option(text, "tolerance_usecs", TOLERANCE_US))
        self.strict = option(text, "strict_segments", False)
        tick_us = option(text, "tcp_ts_tick_usecs", None)
        self.door, self.wire = Door(library, flags_of(text)), Wire(self.version, tick_us and int(tick_us))
        self.fds, self.names = {}, {"print": lambda *_: None}
        self.calls = calls.Calls(self.version, self.fds)
        self.under_test = self.fresh = self.blocked = self.listening = None
        self.anchor_us = None  # of the last segment that arrived: the next one counts from it, however late it was
        self.begin_us = self.door.now_us()

    # ---- calls ---------------------------------------------------------------------------------------------
    def call(self, text):
        match = CALL.match(text)
        if not match or match[1] not in calls.MEMBERS:
            raise Failed(f"no call: {text}")
        name, values = match[1], calls.arguments_read(match[2])
        arguments, check = self.calls.prepare(name, values)
        if name == "connect" and values[1] is None and self.fresh == values[0]:
            self.wire.begin(connecting=True)
            self.under_test, self.fresh = self.fds[values[0]], None
        result, error = self.door.call(name, *arguments)
        wanted = calls.number(match[3])
        if name in ("socket", "accept", "epoll_create") and result >= 0 and wanted >= 0:
            self.opened(name, wanted, result)
        elif result != wanted or (match[4] and error != getattr(errno, match[4])):
            raise Failed(f"result {result}, {errno.errorcode.get(error) if result < 0 else ''}")
        if result >= 0:
            check()
        if name == "listen" and result == 0:
            self.listening = True

    def opened(self, name, wanted, result):
        self.fds[wanted] = result
        if name == "socket":
            self.fresh = wanted
        if name == "accept":
            self.under_test = result

    def block(self, text, end_us):
        """On a thread of its own, as packetdrill does it; goes on when the thread has had time to block."""
        def work():
            try:
                self.call(text)
                self.on_time(self.door.now_us(), end_us, end_us, "return")
            except Failed as failure:
                self.blocked_failure = failure

        self.unblock()
        self.blocked_failure = None
        self.blocked = threading.Thread(target=work)
        self.blocked.start()
        time.sleep(0.05)

    def settle(self):
        """A blocked call that may return is given the time to."""
        if self.blocked:
            self.blocked.join(0.3)

    def unblock(self):
        if self.blocked:
            self.blocked.join(10)
            if self.blocked_failure or self.blocked.is_alive():
                raise self.blocked_failure or Failed("the blocked call does not return")
        self.blocked = None

    # ---- events --------------------------------------------------------------------------------------------
    def on_time(self, at_us, first_us, last_us, what):
        if first_us is not None and not first_us - self.tolerance_us <= at_us <= last_us + self.tolerance_us:
            raise Failed(f"{what} at {(at_us - self.begin_us) / 1e6:.6f}, not {(first_us - self.begin_us) / 1e6:.6f}")

    def take(self, wanted):
        while True:
            buffer, size, at = ctypes.create_string_buffer(65536), ctypes.c_size_t(65536), ctypes.c_longlong()
            self.door.call("netdev_receive", buffer, ctypes.byref(size), ctypes.byref(at))
            if size.value == 0:
                raise Failed("nothing ever comes out")
            got = self.wire.segment(buffer.raw[:size.value], wanted, self.tolerance_us)
            if got:
                return got, at.value

    def comes_out(self, text, first_us, last_us):
        wanted = Segment.read(text)
        got, at_us = self.take(wanted)
        while got.length and got.length < wanted.length and not self.strict:
            more, at_us = self.take(wanted)
            got.append(more)
        if not got.equal(wanted):
            raise Failed(f"came out: {got}")
        self.on_time(at_us, first_us, last_us, "came out")

    def arrives(self, text):
        if re.match(r"(\[[\d:()]+\] )?icmp", text):
            packet = self.wire.icmp(text)
        else:
            segment = Segment.read(text)
            if segment.flags & {"S", "."} == {"S"} and self.listening:
                self.wire.begin()
                self.listening = False
            packet = self.wire.packet(segment)
        self.door.call("netdev_send", packet, len(packet))

    def code(self, text):
        """Runs at once, where packetdrill runs all of it at the end."""
        data, size = calls.buffer(512), ctypes.c_uint(512)
        for level, name, read in ((6, 11, calls.tcp_info), (1, 55, calls.memory_info)):
            size.value = 512
            if self.door.call("getsockopt", self.under_test, level, name, data, ctypes.byref(size))[0] == 0:
                self.names |= read(data.raw)
        try:
            exec(textwrap.dedent(re.sub(r"\\\n\s*", "", text)).strip(), self.names)
        except AssertionError as failure:
            raise Failed(f"it is {failure}") from None
        except (SyntaxError, NameError, TypeError) as failure:
            raise Failed(repr(failure)) from None

    def event(self, begin, joint, end, text):
        incoming = text.startswith("<")
        now_us = self.door.now_us()
        since_us = self.begin_us if begin[0] not in "+*" else self.anchor_us if incoming and self.anchor_us else now_us
        at_us = since_us + round(float(begin.lstrip("+")) * 1e6) if begin != "*" else None
        end_us = since_us + round(float(end.lstrip("+")) * 1e6) if end else at_us
        if at_us and text[0] != ">" and at_us > now_us:
            self.door.call("usleep", at_us - now_us)
        self.anchor_us = at_us if incoming else None
        if text[0] == ">":
            self.comes_out(re.sub(r"\s+", " ", text[1:]).strip(), at_us, end_us)
        elif incoming:
            self.arrives(re.sub(r"\s+", " ", text[1:]).strip())
        elif text[0] == "%":
            self.code(text[2:-2])
        elif joint == "...":
            self.block(text, end_us)
        elif text[0] != "`":
            self.settle()
            self.call(text)

    def end(self):
        self.unblock()
        self.door.call("free")


def run(library, path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    line, body = 0, ""
    try:
        script = Run(library, text)
        for line, begin, joint, end, body in statements(text):
            if begin:
                script.event(begin, joint, end, body)
        script.end()
    except Failed as failure:
        raise Failed(f"{path}:{line}: {body}: {failure}") from None


def main():
    try:
        for path in sys.argv[2:]:
            run(sys.argv[1], path)
    except Failed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()

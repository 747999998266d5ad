# SPDX-License-Identifier: Apache-2.0
"""System calls as scripts write them: arguments read, laid out in memory as C wants them, and looked at afterwards."""
import ctypes
import re
import select
import socket
import struct

from wire import ADDRESSES, PORT, PEER_PORT, Failed

MEMBERS = """free socket bind listen accept connect read readv recv recvfrom recvmsg write writev send sendto sendmsg
fcntl ioctl close shutdown getsockopt setsockopt poll netdev_send netdev_receive usleep gettimeofday epoll_create
epoll_ctl epoll_wait pipe splice""".split()
NAMES = {name: value for module in (socket, select) for name, value in vars(module).items()
         if name.isupper() and isinstance(value, int)}
NAMES |= {"F_GETFL": 3, "F_SETFL": 4, "O_RDWR": 2, "O_NONBLOCK": 0o4000, "SIOCINQ": 0x541B, "FIONREAD": 0x541B,
          "SIOCOUTQ": 0x5411, "SIOCOUTQNSD": 0x894B, "TCP_MAXSEG": 2, "TCP_CORK": 3, "TCP_QUICKACK": 12,
          "TCP_USER_TIMEOUT": 18, "TCP_INQ": 36, "TCP_CM_INQ": 36, "MSG_MORE": 0x8000, "MSG_EOR": 0x80,
          "MSG_ZEROCOPY": 0x4000000, "MSG_FASTOPEN": 0x20000000, "SO_ZEROCOPY": 60, "SOL_TCP": 6, "SOL_IP": 0,
          "SOL_IPV6": 41, "IP_MTU_DISCOVER": 10, "IP_PMTUDISC_DONT": 0, "IP_PMTUDISC_WANT": 1, "IP_PMTUDISC_DO": 2,
          "IP_FREEBIND": 15, "IP_BIND_ADDRESS_NO_PORT": 24, "IP_LOCAL_PORT_RANGE": 51, "IP_MTU": 14,
          "EPOLL_CTL_ADD": 1, "EPOLL_CTL_DEL": 2, "EPOLL_CTL_MOD": 3, "NULL": 0}
LONG = ("read", "readv", "recv", "recvfrom", "recvmsg", "write", "writev", "send", "sendto", "sendmsg")
TCP_INFO = """B state B ca_state B retransmits B probes B backoff B options B wscale B app_limited I rto I ato I snd_mss
I rcv_mss I unacked I sacked I lost I retrans I fackets I last_data_sent I last_ack_sent I last_data_recv I last_ack_recv
I pmtu I rcv_ssthresh I rtt I rttvar I snd_ssthresh I snd_cwnd I advmss I reordering I rcv_rtt I rcv_space
I total_retrans Q pacing_rate Q max_pacing_rate Q bytes_acked Q bytes_received I segs_out I segs_in I notsent_bytes
I min_rtt I data_segs_in I data_segs_out Q delivery_rate Q busy_time Q rwnd_limited Q sndbuf_limited I delivered
I delivered_ce Q bytes_sent Q bytes_retrans I dsack_dups I reord_seen I rcv_ooopack I snd_wnd""".split()
MEMORY = "RMEM_ALLOC RCVBUF WMEM_ALLOC SNDBUF FWD_ALLOC WMEM_QUEUED OPTMEM BACKLOG DROPS".split()
CONSTANTS = dict(zip("TCP_ESTABLISHED TCP_SYN_SENT TCP_SYN_RECV TCP_FIN_WAIT1 TCP_FIN_WAIT2 TCP_TIME_WAIT TCP_CLOSE "
                     "TCP_CLOSE_WAIT TCP_LAST_ACK TCP_LISTEN TCP_CLOSING".split(), range(1, 12)))
CONSTANTS |= {f"TCP_CA_{name}": i for i, name in enumerate("Open Disorder CWR Recovery Loss".split())}
CONSTANTS |= {"TCPI_OPT_TIMESTAMPS": 1, "TCPI_OPT_SACK": 2, "TCPI_OPT_WSCALE": 4, "TCPI_OPT_ECN": 8,
              "TCPI_OPT_SYN_DATA": 32}


def number(text):
    if re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", text):
        return int(text, 0)
    if text not in NAMES:
        raise Failed(f"no number: {text}")
    return NAMES[text]


# ---- arguments as they are written -------------------------------------------------------------------------
TOKEN = re.compile(r"\s*(\.\.\.|\"[^\"]*\"|-?\w+|[\[\]{}(),=|])")


class Reader:
    """`...` becomes None, "text" bytes, [a, b] and {a, b} lists, {name=a, name(b)=c} a dict, names and a|b numbers."""

    def __init__(self, text):
        self.tokens, at = [], 0
        text = text.rstrip()
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise Failed(f"no argument: {text[at:]}")
            self.tokens.append(match[1])
            at = match.end()

    def take(self, wanted=None):
        if not self.tokens or wanted not in (None, self.tokens[0]):
            raise Failed(f"{wanted or 'more'} is missing before {''.join(self.tokens)!r}")
        return self.tokens.pop(0)

    def many(self, end, one):
        values = []
        while self.tokens and self.tokens[0] != end:
            values.append(one())
            if self.tokens and self.tokens[0] != end:
                self.take(",")
        if end:
            self.take(end)
        return values

    def value(self):
        token = self.take()
        if token == "...":
            return None
        if token[0] == '"':
            return token[1:-1].encode().decode("unicode_escape").encode("latin-1")
        if token == "[":
            return self.many("]", self.value)
        if token == "{":
            fields = self.many("}", self.field)
            return dict(fields) if fields and fields[0][0] else [value for _, value in fields]
        value = number(token)
        while self.tokens and self.tokens[0] == "|":
            self.take()
            value |= number(self.take())
        return value

    def field(self):
        if len(self.tokens) > 1 and self.tokens[1] in ("=", "(") and re.match(r"[a-z]", self.tokens[0]):
            name = self.take()
            if self.tokens[0] == "(":  # msg_iov(2)=...: how many, which the list tells as well
                self.take()
                self.value()
                self.take(")")
            self.take("=")
            return name, self.value()
        return None, self.value()


def arguments_read(text):
    reader = Reader(text)
    return reader.many(None, reader.value)


# ---- arguments as C has them -------------------------------------------------------------------------------
def buffer(size):
    return ctypes.create_string_buffer(max(size, 1))


def address_of(thing):
    return ctypes.addressof(thing) if thing else 0


class Calls:
    """Lays out a call's arguments: method NAME returns (arguments, check), where check() looks at what was filled in."""

    def __init__(self, version, fds):
        self.version, self.fds = version, fds

    def fd(self, script_fd):
        if script_fd not in self.fds:
            raise Failed(f"no such fd: {script_fd}")
        return self.fds[script_fd]

    def address(self, ours, family=None):
        text, port = ADDRESSES[self.version][0 if ours else 1], PORT if ours else PEER_PORT
        if self.version == 4:
            data = struct.pack("!2xH", port) + socket.inet_aton(text) + bytes(8)
        else:
            data = struct.pack("!2xHI", port, 0) + socket.inet_pton(socket.AF_INET6, text) + bytes(4)
        own = socket.AF_INET if self.version == 4 else socket.AF_INET6
        data = struct.pack("=H", own if family is None else family) + data[2:]
        return ctypes.create_string_buffer(data, len(data)), len(data)

    def prepare(self, name, values):
        made = getattr(self, name, self.plain)(*values)
        return made if isinstance(made, tuple) else (made, lambda: None)

    def plain(self, fd, *numbers):
        return [self.fd(fd), *numbers]

    def socket(self, domain, kind, protocol):
        own = socket.AF_INET if self.version == 4 else socket.AF_INET6
        return [own if domain is None else domain, kind, protocol]

    def bind(self, fd, _where, _size):
        return [self.fd(fd), *self.address(True)]

    def connect(self, fd, where, _size):
        return [self.fd(fd), *self.address(False, where)]

    def accept(self, fd, _where, _size):
        return [self.fd(fd), buffer(128), ctypes.byref(ctypes.c_uint(128))]

    def read(self, fd, data, size, *flags):
        return [self.fd(fd), buffer(size) if data is None else None, size, *flags]

    write = recv = send = read

    def recvfrom(self, fd, data, size, flags, _where, _room):
        return [*self.read(fd, data, size, flags), buffer(128), ctypes.byref(ctypes.c_uint(128))]

    def sendto(self, fd, data, size, flags, where, _size):
        return [*self.read(fd, data, size, flags), *self.address(False, where)]

    # ---- vectors and messages ------------------------------------------------------------------------------
    def vectors(self, fields):
        self.kept = [buffer(size) for _, size in fields]  # as long as the next call
        pairs = [number for data, (_, size) in zip(self.kept, fields) for number in (ctypes.addressof(data), size)]
        return ctypes.create_string_buffer(struct.pack(f"={len(pairs)}Q", *pairs), max(8 * len(pairs), 1))

    def readv(self, fd, fields, count):
        return [self.fd(fd), self.vectors(fields), count]

    writev = readv

    def message(self, fields):
        vectors, control = self.vectors(fields["msg_iov"]), buffer(256)
        self.kept += [vectors, control]
        wants = fields.get("msg_control") is not None
        return ctypes.create_string_buffer(struct.pack("=QIIQQQQii", 0, 0, 0, ctypes.addressof(vectors),
                                                       len(fields["msg_iov"]), address_of(wants and control),
                                                       256 if wants else 0, 0, 0), 56)

    def sendmsg(self, fd, fields, flags):
        return [self.fd(fd), self.message(fields), flags]

    def recvmsg(self, fd, fields, flags):
        message = self.message(fields)

        def check():
            *_, used, got_flags, _ = struct.unpack("=QIIQQQQii", message.raw[:56])
            if got_flags != fields.get("msg_flags", 0):
                raise Failed(f"msg_flags {got_flags:#x}")
            got, data = [], self.kept[-1].raw[:used]
            while data:
                size, level, kind = struct.unpack("=Qii", data[:16])
                got.append({"cmsg_level": level, "cmsg_type": kind, "cmsg_data": struct.unpack("=i", data[16:20])[0]})
                data = data[size + 7 & ~7:]
            if got != (fields.get("msg_control") or []):
                raise Failed(f"msg_control {got}")

        return [self.fd(fd), message, flags], check

    # ---- options -------------------------------------------------------------------------------------------
    def ioctl(self, fd, request, wanted=None):
        value = ctypes.c_int(-1)

        def check():
            if wanted is not None and value.value != wanted[0]:
                raise Failed(f"ioctl gave {value.value}")

        return [self.fd(fd), request, ctypes.byref(value)], check

    def getsockopt(self, fd, level, name, wanted, size):
        room, value = ctypes.c_uint(size[0]), buffer(size[0] + 4)

        def check():
            got = value.raw[:room.value]
            same = got.rstrip(b"\0") == wanted.rstrip(b"\0") if isinstance(wanted, bytes) else \
                got[:4] == struct.pack("=I", wanted[0] % (1 << 32))
            if not same or room.value != size[0]:
                raise Failed(f"getsockopt gave {struct.unpack('=i', got)[0] if len(got) == 4 else got}")

        return [self.fd(fd), level, name, value, ctypes.byref(room)], check

    def setsockopt(self, fd, level, name, value, size):
        if isinstance(value, dict):  # linger
            data = struct.pack("=2i", value["onoff"], value["linger"])
        else:
            data = value if isinstance(value, bytes) else struct.pack("=I", value[0] % (1 << 32))
        return [self.fd(fd), level, name, ctypes.create_string_buffer(data, max(len(data), size, 1)), size]

    # ---- waiting for several -------------------------------------------------------------------------------
    def poll(self, fields, count, timeout_ms):
        data = b"".join(struct.pack("=iHH", self.fd(one["fd"]), one["events"], 0) for one in fields)
        fds = ctypes.create_string_buffer(data, max(len(data), 1))

        def check():
            got = [struct.unpack_from("=H", fds.raw, 8 * i + 6)[0] for i in range(count)]
            if got != [one["revents"] for one in fields]:
                raise Failed(f"revents {got}")

        return [fds, count, timeout_ms], check

    def event(self, fields):
        data = fields.get("fd", fields.get("ptr", fields.get("u32", fields.get("u64", 0))))
        return struct.pack("=IQ", fields["events"], data)

    def epoll_create(self, size):
        return [size]

    def epoll_ctl(self, epoll, op, fd, fields):
        return [self.fd(epoll), op, self.fd(fd), ctypes.create_string_buffer(self.event(fields), 12)]

    def epoll_wait(self, epoll, wanted, most, timeout_ms):
        events = buffer(12 * max(most, 1))

        def check():
            if wanted["events"] and events.raw[:12] != self.event(wanted):
                raise Failed("epoll_wait gave events %#x of %d" % struct.unpack("=IQ", events.raw[:12]))

        return [self.fd(epoll), events, most, timeout_ms], check

    def pipe(self, fds):
        made = (ctypes.c_int * 2)()

        def check():
            self.fds.update(zip(fds, made))

        return [ctypes.byref(made)], check

    def splice(self, fd_in, _off_in, fd_out, _off_out, size, flags):
        return [self.fd(fd_in), None, self.fd(fd_out), None, size, flags]


def tcp_info(data):
    """The names that `%{ ... }%` knows."""
    names, values = TCP_INFO[1::2], struct.unpack_from("=" + "".join(TCP_INFO[::2]), data)
    info = {f"tcpi_{name}": value for name, value in zip(names, values)}
    return info | {"tcpi_snd_wscale": info["tcpi_wscale"] & 15, "tcpi_rcv_wscale": info["tcpi_wscale"] >> 4} | CONSTANTS


def memory_info(data):
    return {f"SK_MEMINFO_{name}": value for name, value in zip(MEMORY, struct.unpack_from("=9I", data))}

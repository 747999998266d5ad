# SPDX-License-Identifier: Apache-2.0
"""Linux clients of the built-in endpoints and their counters: what the tests of endpoints share."""
ENDPOINTS = """endpoints:
  - {name: echo, kind: echo, port: 7}
  - {name: discard, kind: discard, port: 9}
  - {name: chargen, kind: chargen, port: 19}
"""

# Sends megabytes through echo and compares what comes back; prints Mbit/s each way.
ECHO = """
import hashlib, os, socket, sys, threading, time
s = socket.create_connection((sys.argv[1], 7), 10)
s.settimeout(30)
sent, got, block = hashlib.sha256(), hashlib.sha256(), os.urandom(1 << 20)
def send():
    for n in range(int(sys.argv[2])):
        data = block[n:] + block[:n]
        sent.update(data)
        s.sendall(data)
    s.shutdown(socket.SHUT_WR)
start = time.monotonic()
sender = threading.Thread(target=send)
sender.start()
total = 0
while True:
    data = s.recv(1 << 18)
    if not data:
        break
    got.update(data)
    total += len(data)
sender.join()
assert total == int(sys.argv[2]) << 20, total
assert sent.digest() == got.digest()
print(round(total * 8 / (time.monotonic() - start) / 1e6))
"""

# A connection that says a line every 20 ms, prints "ready" after the first and how it ended.
LASTING = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], 7), 10)
s.settimeout(100)
lines, told = s.makefile("rb"), 0
try:
    while True:
        s.sendall(b"still here\\n")
        assert lines.readline() == b"still here\\n", "closed"
        told += 1
        if told == 1:
            print("ready", flush=True)
        time.sleep(0.02)
except ConnectionResetError:
    print("reset")
"""


def tcp_counters(lab):
    return {row["counter"]: row for row in lab.ctl_json("counters")["counters"] if row["counter"].startswith("tcp_")}


def counted(lab, name):
    row = tcp_counters(lab).get(name)
    return row["value"] if row else 0

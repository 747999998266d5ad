# SPDX-License-Identifier: Apache-2.0
"""`sluice-pktgen` over ring: and memif: ports, which need no lab, no namespace and no right."""
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

from conftest import BUILD, run, wait_for

PKTGEN = BUILD / "tools" / "pktgen" / "sluice-pktgen"
FIRST = ("nice", "-n", "-15")  # rates and times are what they are told to be only where a process gets its core
CORES = sorted(os.sched_getaffinity(0))


def pktgen(mode, *argv, timeout=60):
    """Runs it to its end: status, stdout, stderr. Huge pages stay the machine's."""
    return run([*FIRST, PKTGEN, mode, *argv, "--huge", "off"], timeout=timeout, check=False)


def measured(mode, *argv, status=0, timeout=60):
    """The numbers of a run that ends by itself with that status."""
    done = pktgen(mode, *argv, "-j", "-q", timeout=timeout) if mode != "replay" else \
        pktgen(mode, *argv, "-j", timeout=timeout)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


@contextlib.contextmanager
def scratch():
    """A directory of its own that everybody may use."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="slpg-"))
    directory.chmod(0o777)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


class Process:
    """One in the background. `before` goes in front of its command line: setpriv, for one."""

    def __init__(self, mode, *argv, program=PKTGEN, before=()):
        self.child = subprocess.Popen([*FIRST, *map(str, before), str(program), mode, *map(str, argv), "--huge", "off"],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                      stdin=subprocess.DEVNULL)

    def interrupt(self, timeout=20):
        """Ctrl-C: its status, stdout and stderr."""
        self.child.send_signal(signal.SIGINT)
        out, err = self.child.communicate(timeout=timeout)
        return self.child.returncode, out, err

    def kill(self):
        self.child.kill()
        self.child.communicate()


def interrupted(seconds, mode, *argv):
    """Starts it, and presses Ctrl-C after that time: its status, stdout and stderr."""
    process = Process(mode, *argv)
    try:
        process.child.wait(timeout=seconds)
        raise AssertionError(f"it ended by itself: {process.child.communicate()}")
    except subprocess.TimeoutExpired:
        return process.interrupt()
    finally:
        process.kill()


@contextlib.contextmanager
def reflector(socket, *argv, program=PKTGEN, before=()):
    """The other end of a memif, there when its socket is. It is ended after the generator: a driver whose peer vanishes
    may crash. `ended()` gives its numbers."""
    process = Process("reflect", "-p", f"memif:{socket},role=server", "--cores", CORES[0], "-j", *argv,
                      program=program, before=before)
    try:
        wait_for(lambda: socket.exists() or process.child.poll() is not None, "the reflector's socket")
        assert process.child.poll() is None, process.child.communicate()[1]
        yield process
    finally:
        if process.child.poll() is None:
            process.kill()


def ended(process):
    status, out, err = process.interrupt()
    assert status == 0, (status, err)
    return json.loads(out)


def client_of(socket):
    """The generator's end, on a core of its own where there are two."""
    return "-p", f"memif:{socket},role=client", "--cores", CORES[-1]


def on_terminal(mode, *argv, seconds=30, columns=80, interrupt_after=None):
    """Runs it with a terminal for its stderr: status, stdout, and all that the terminal was told."""
    lead, follow = pty.openpty()
    fcntl.ioctl(follow, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen([*FIRST, str(PKTGEN), mode, *map(str, argv), "--huge", "off"], stdout=out, stderr=follow,
                                 stdin=subprocess.DEVNULL)
        os.close(follow)
        told, end = b"", time.monotonic() + seconds
        began = time.monotonic()
        while time.monotonic() < end:
            if interrupt_after is not None and time.monotonic() > began + interrupt_after:
                child.send_signal(signal.SIGINT)
                interrupt_after = None
            if select.select([lead], [], [], 0.1)[0]:
                try:
                    told += os.read(lead, 65536)
                except OSError:  # its last holder has closed it
                    break
        status = child.wait(timeout=5)
        os.close(lead)
        out.seek(0)
        return status, out.read(), told.decode()


def screen_of(text):
    """What a terminal shows in the end of a text with "up N lines" and "clear to the end"."""
    lines = [""]
    while text:
        if text.startswith("\033["):
            code = text[2:].lstrip("0123456789")[0]
            count = int(text[2:text.index(code)] or 0)
            text = text[text.index(code) + 1:]
            if code == "A":
                lines = lines[:len(lines) - count]
                lines[-1:] = [""]
            continue
        letter, text = text[0], text[1:]
        if letter == "\n":
            lines.append("")
        elif letter != "\r":
            lines[-1] += letter
    return lines

# SPDX-License-Identifier: Apache-2.0
"""The lab as fixtures: `lab` is up with the default config and its counters known; servers end with their test."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = str(ROOT / "tools" / "lab")
BUILD = pathlib.Path(os.environ.get("SLUICE_BUILD", ROOT / "build"))
PYTHON = "/usr/bin/python3"
DEFAULT = (ROOT / "examples" / "lab.yaml").read_text(encoding="utf-8")


class CommandFailed(Exception):
    """A command of a test ended with another status than asked for."""


def run(argv, timeout=60, check=True, **kwargs):
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout, **kwargs)
    if check and done.returncode != 0:
        raise CommandFailed(f"{' '.join(map(str, argv))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Lab:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sluice-test-"))
        self.directory.chmod(0o755)
        self.paths = dict(line.split("=", 1) for line in run([LAB, "env"]).stdout.splitlines())
        self.children = []

    # ---- life ----
    def up(self, *args):
        run([LAB, "up", *args], timeout=120)

    def down(self):
        run([LAB, "down"], timeout=60)

    def daemon(self, verb, which):
        run([LAB, verb, which], timeout=60)

    def pid(self, which):
        return int(pathlib.Path(self.paths["STATE"], which + ".pid").read_text(encoding="utf-8").split()[0])

    def log(self, which):
        return pathlib.Path(self.paths["STATE"], which + ".log").read_text(encoding="utf-8")

    # ---- hosts ----
    def exec(self, host, *argv, timeout=60, check=True):
        return run([LAB, "exec", host, *argv], timeout=timeout, check=check)

    def spawn(self, host, *argv, **kwargs):
        kwargs.setdefault("stdout", subprocess.PIPE)
        kwargs.setdefault("stderr", subprocess.STDOUT)
        child = subprocess.Popen([LAB, "exec", host, *map(str, argv)], text=True, stdin=subprocess.DEVNULL,
                                 start_new_session=True, **kwargs)
        self.children.append(child)
        return child

    def python(self, host, code, *args, timeout=60, check=True):
        return self.exec(host, PYTHON, "-c", code, *args, timeout=timeout, check=check)

    def spawn_python(self, host, code, *args, **kwargs):
        return self.spawn(host, PYTHON, "-u", "-c", code, *args, **kwargs)

    def wait_port(self, host, port, proto="tcp"):
        """Returns when something listens there: a server that was just started is ready."""
        flag = "-ltnH" if proto == "tcp" else "-lunH"
        wait_for(lambda: f":{port} " in self.exec(host, "ss", flag).stdout, f"a listener on {host}:{port}")

    def http_server(self, host, port=80, size=0):
        root = self.directory / f"www-{host}-{port}"
        root.mkdir(exist_ok=True)
        (root / "index.html").write_text(f"hello from {host}\n", encoding="utf-8")
        if size:
            with open(root / "blob", "wb") as blob:
                blob.truncate(size)
        server = self.spawn(host, PYTHON, "-m", "http.server", port, "--bind", "::", "--directory", root,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_port(host, port)
        return server

    def stop_children(self):
        for child in self.children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if child.stdout:
                child.stdout.close()
        self.children.clear()

    # ---- operator ----
    def ctl(self, *args, check=True, timeout=60):
        return run([LAB, "ctl", *args], check=check, timeout=timeout)

    def ctl_json(self, *args):
        return json.loads(self.ctl("-j", *args).stdout)

    def as_nobody(self, program, *args):
        """Runs a program of the build without any right, from where everybody may read (the tree may be private)."""
        public = self.directory / program.name
        if not public.exists():
            shutil.copy(program, public)
        return run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", public, *args], check=False, timeout=30)

    def ctl_as_nobody(self, *args):
        return self.as_nobody(BUILD / "tools/ctl/sluicectl", "-s", self.paths["SOCKET"], *args)

    def config(self, text, name="config.yaml"):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def apply(self, text, check=True, extra=()):
        return self.ctl("config", "apply", self.config(text), *extra, check=check)

    def drops(self):
        """Packets dropped so far, by reason."""
        return {row["reason"]: row["packets"] for row in self.ctl_json("drops")["drops"]}

    def generation(self):
        return self.ctl_json("status")["generation"]["published"]

    def ready(self):
        """Both daemons run and the generation is live on every worker."""
        if self.ctl("status", check=False).returncode != 0:
            return False
        status = self.ctl_json("status")
        return status["data_plane"]["state"] == "running" and status["generation"]["state"] == "live"

    def wait_ready(self):
        wait_for(self.ready, "a live generation on a running data plane")


def wait_for(condition, what, seconds=20.0, every=0.05):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


def ping_counts(text):
    """(sent, received) of ping's summary."""
    match = re.search(r"(\d+) packets transmitted, (\d+) received", text)
    assert match, text
    return int(match.group(1)), int(match.group(2))


@pytest.fixture(scope="session")
def lab_session():
    lab = Lab()
    lab.down()
    lab.up()
    yield lab
    lab.stop_children()
    lab.down()
    subprocess.run(["rm", "-rf", str(lab.directory)], check=False)


@pytest.fixture
def lab(lab_session):
    """The lab, up, with the default config live."""
    lab_session.up()
    yield lab_session
    lab_session.stop_children()
    if lab_session.ctl("config", "apply", ROOT / "examples" / "lab.yaml", check=False).returncode != 0:
        lab_session.down()


@pytest.fixture
def fresh_lab(lab_session):
    """The lab right after its start, for tests that kill daemons or change how they are started."""
    lab_session.down()
    yield lab_session
    lab_session.stop_children()
    lab_session.down()


@pytest.fixture(scope="module")
def balanced_lab(lab_session):
    """Three servers behind the services of balance.py, for a file of tests."""
    from balance import Balanced  # it imports this file

    lab_session.up()
    one = Balanced(lab_session)
    try:
        one.begin()
        yield one
    finally:
        one.end()
        if lab_session.ctl("config", "apply", ROOT / "examples" / "lab.yaml", check=False).returncode != 0:
            lab_session.down()


@pytest.fixture
def balanced(balanced_lab):
    """The same, as it was in the beginning."""
    balanced_lab.reset()
    yield balanced_lab
    balanced_lab.stop_clients()

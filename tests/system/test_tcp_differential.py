# SPDX-License-Identifier: Apache-2.0
"""Our TCP against the kernel's over a bad path, as client and as server (tests/tcp/differential.c)."""
import subprocess

import pytest

from conftest import BUILD


@pytest.mark.parametrize("arguments", [
    ["--connections", "1500", "--seed", "11"],
    ["--connections", "800", "--seed", "12", "--loss", "30", "--duplicate", "20", "--delay", "100", "--corrupt", "5"],
    ["--connections", "800", "--seed", "13", "--loss", "20", "--delay", "30", "--v6"],
    ["--connections", "500", "--seed", "14", "--loss", "20", "--no-sack", "--congestion", "newreno"],
    ["--connections", "500", "--seed", "15", "--loss", "20", "--no-timestamps"],
    ["--connections", "800", "--seed", "16", "--loss", "20", "--delay", "50", "--congestion", "bbr"],
    ["--connections", "500", "--seed", "17", "--fast-open"],
    ["--connections", "500", "--seed", "18", "--fast-open", "--loss", "20", "--duplicate", "20", "--delay", "50", "--v6"],
    ["--connections", "500", "--seed", "19", "--variety"],
    ["--connections", "500", "--seed", "20", "--variety", "--v6", "--loss", "10", "--ce", "20"]], ids=lambda a: " ".join(a[4:]) or "a good path")
def test_every_byte_arrives_between_us_and_the_kernel(arguments):
    done = subprocess.run([BUILD / "tests/tcp/tcp-differential", "--at-once", "300", *arguments], capture_output=True, text=True,
                          timeout=240, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"{arguments[1]} connections" in done.stdout and " 0 wrong" in done.stdout

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the packet tests and fails unless every reason of drop.def was caused by one of them.

usage: drops_covered.py DROP_DEF PROGRAM...
"""
import re
import subprocess
import sys


def reasons(path):
    """Names in drop.def, but "none", which is no drop."""
    with open(path, encoding="utf-8") as file:
        return [name for name in re.findall(r"^SL_DROP\((\w+),", file.read(), re.M) if name != "none"]


def covered(program):
    """Names of the reasons that a test program says it caused."""
    run = subprocess.run([program], capture_output=True, text=True, timeout=300, check=False)
    return set(re.findall(r"^drop-covered: (\w+)$", run.stdout, re.M))


def main():
    wanted = reasons(sys.argv[1])
    seen = set().union(*(covered(program) for program in sys.argv[2:]))
    missing = [name for name in wanted if name not in seen]
    for name in missing:
        print(f"no packet test causes the drop '{name}'")
    print(f"{len(wanted) - len(missing)} of {len(wanted)} drop reasons are caused by a test")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

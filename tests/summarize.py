#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up test results: meson's testlog.json files (cmocka's own counts where a program prints them, else one a
program) and pytest's JUnit files. Prints each failure and skip by name, then 'N passed, N failed, N skipped'.
Exits 1 where anything failed or nothing ran.

usage: summarize.py RESULT...     (*.json from meson, *.xml from pytest, *.steps: lines 'ok|FAIL|skip NAME [reason]')
"""
import json
import re
import sys
import xml.etree.ElementTree as ElementTree

CMOCKA = {"passed": r"\[  PASSED  \] (\d+) test", "failed": r"\[  FAILED  \] (\d+) test\(s\), ", "skipped": r"\[  SKIPPED \] (\d+) test\(s\), "}


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.notes = []

    def meson(self, path):
        label = path.rsplit("/", 3)[1] if "/" in path else path
        for line in open(path, encoding="utf-8"):
            self.meson_test(label, json.loads(line))

    def meson_test(self, label, test):
        name = f"{label}: {test['name']}"
        output = test.get("stdout") or ""
        output += test.get("stderr") or ""
        counts = {kind: sum(map(int, re.findall(pattern, output))) for kind, pattern in CMOCKA.items()}
        # cmocka 1.1.5 counts skipped tests in its own line only; take them from the per-test lines
        skipped = re.findall(r"^\[  SKIPPED \] (\w+)$", output, re.M)
        if test["result"] == "SKIP":
            self.skip(name, last_line(output))
        elif test["result"] not in ("OK", "EXPECTEDFAIL"):
            failed = sorted(set(re.findall(r"^\[  FAILED  \] (\w+)$", output, re.M)))
            self.failed += max(1, len(failed))
            self.passed += counts["passed"]
            self.notes.append(f"FAILED {name}: {', '.join(failed) or test['result']}")
        elif counts["passed"] or skipped:
            self.passed += counts["passed"]
            for case in sorted(set(skipped)):
                self.skip(f"{name}.{case}", skip_reason(output, case))
        else:
            self.passed += 1

    def pytest(self, path):
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            name = f"system: {case.get('classname', '').split('.')[-1]}.{case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                self.failed += 1
                self.notes.append(f"FAILED {name}")
            elif case.find("skipped") is not None:
                self.skip(name, case.find("skipped").get("message", ""))
            else:
                self.passed += 1

    def steps(self, path):
        for line in open(path, encoding="utf-8"):
            verdict, _, name = line.strip().partition(" ")
            if verdict == "ok":
                self.passed += 1
            elif verdict == "skip":
                self.skip(name, "")
            elif verdict:
                self.failed += 1
                self.notes.append(f"FAILED {name}")

    def skip(self, name, reason):
        self.skipped += 1
        self.notes.append(f"skipped {name}: {reason or 'no reason given'}")


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def skip_reason(output, case):
    match = re.search(rf"skip(?:ped)? {case}: (.*)", output) or re.search(r"^(?:skip|SKIP)[^:\n]*: (.*)$", output, re.M)
    return match.group(1) if match else ""


def main(paths):
    totals = Totals()
    for path in paths:
        reader = {"json": totals.meson, "xml": totals.pytest, "steps": totals.steps}[path.rsplit(".", 1)[1]]
        try:
            reader(path)
        except (OSError, ValueError, ElementTree.ParseError) as error:
            totals.failed += 1
            totals.notes.append(f"FAILED {path}: no result ({error})")
    for note in totals.notes:
        print(note)
    print(f"{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped")
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

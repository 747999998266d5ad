# SPDX-License-Identifier: Apache-2.0
"""What every benchmark yields: rows of one table. Sections (in_process.py, wire.py, peers.py, growth.py) make them;
run.py prints them, keeps them and compares them with those of an earlier run."""
import dataclasses
import statistics
import time


@dataclasses.dataclass(frozen=True)
class Sample:
    """One quantity, measured several times: median and the bounds of the middle eight tenths."""
    median: float
    low: float
    high: float
    count: int = 1

    @classmethod
    def of(cls, values):
        ordered = sorted(values)
        tenth = len(ordered) // 10
        return cls(statistics.median(ordered), ordered[tenth], ordered[-1 - tenth], len(ordered))

    @classmethod
    def across(cls, samples):
        """Of several processes: the median of their medians. The bounds are those of the median process, and further
        out where a whole process lies outside them."""
        medians = [sample.median for sample in samples]
        low = statistics.median(sample.low for sample in samples)
        high = statistics.median(sample.high for sample in samples)
        count = sum(sample.count for sample in samples)
        return cls(statistics.median(medians), min([low, *medians]), max([high, *medians]), count)

    @classmethod
    def pooled(cls, processes):
        """Of the values of several processes (a list each), taken together; no process's median lies outside."""
        one = cls.of([value for values in processes for value in values])
        medians = [statistics.median(values) for values in processes]
        return cls(one.median, min([one.low, *medians]), max([one.high, *medians]), one.count)

    def scaled(self, factor):
        return dataclasses.replace(self, median=self.median * factor, low=self.low * factor, high=self.high * factor)

    def text(self):
        return number(self.median) if self.low == self.high and self.count == 1 else f"{number(self.median)} ({number(self.low)}-{number(self.high)})"


@dataclasses.dataclass(frozen=True)
class Bar:
    """What the project asks of a row: of Sluice's own figure, or of its ratio to the peer."""
    value: float
    of_ratio: bool = False
    pairs: int = 0  # that it asks for before it is judged

    def undecided(self, row):
        return bool(self.pairs) and (not row.paired or row.paired.count < self.pairs)

    def met(self, row):
        if self.undecided(row):
            return None
        figure = row.ratio() if self.of_ratio else row.sluice.median
        if figure is None:
            return None
        return figure >= self.value if self.of_ratio or row.higher_is_better else figure <= self.value

    def text(self, row):
        asked = f"{100 * self.value:.0f} %" if self.of_ratio and self.value < 1 else number(self.value)
        if row.peer and self.undecided(row):
            return f"{asked} (too few trials)"
        met = self.met(row)
        return asked if met is None else f"{asked}{' x' if self.of_ratio and self.value >= 1 else ''} ({'met' if met else 'not met'})"


@dataclasses.dataclass(frozen=True)
class Row:
    section: str  # "in-process", "wire", "peers", "growth"
    what: str  # the same in every run
    unit: str  # "cycles/packet", "Mpps", "us", ...
    how: str = ""  # burst, size, ports, where the cycles go
    sluice: Sample | None = None
    peer: Sample | None = None
    peer_name: str = ""
    higher_is_better: bool = False
    bar: Bar | None = None
    skipped: str = ""  # why the row has no figures
    paired: Sample | None = None  # of sluice / peer, where the two were measured in turn: steadier than that of the medians
    condition: str = ""  # what must be the same for two runs of the row to be compared: where the cores were
    plot: str = ""  # growth: the plot that it is a point of (growth.py), its curve and place
    curve: str = ""
    x: float = 0

    def key(self):
        """What names the row in every run."""
        return self.section, self.what, self.condition

    def ratio(self):
        """How many times better than the peer; below 1: worse. None where one of the two is missing."""
        if not self.sluice or not self.peer or not self.sluice.median or not self.peer.median:
            return None
        quotient = self.paired.median if self.paired else self.sluice.median / self.peer.median
        return quotient if self.higher_is_better else 1 / quotient

    def ratio_text(self):
        ratio = self.ratio()
        if not ratio:
            return "-"
        if not self.paired or self.paired.count == 1:
            return f"{ratio:.2f}"
        bounds = (self.paired.low, self.paired.high)
        low, high = bounds if self.higher_is_better else (1 / bound if bound else 0 for bound in reversed(bounds))
        return f"{ratio:.2f} ({low:.2f}-{high:.2f})"

    def cells(self):
        what = f"{self.what}, {self.condition}" if self.condition else self.what
        return [what, self.unit, self.skipped or self.how, self.sluice.text() if self.sluice else "-",
                f"{self.peer.text()} {self.peer_name}" if self.peer else "-", self.ratio_text(),
                self.bar.text(self) if self.bar and self.sluice else ""]

    def slower_than(self, old):
        """True where it is worse than `old` by more than both spreads and a tenth."""
        if not self.sluice or not old.sluice or (self.unit, self.condition) != (old.unit, old.condition):
            return False
        if self.higher_is_better:
            return self.sluice.high < old.sluice.low and self.sluice.median < 0.9 * old.sluice.median
        return self.sluice.low > old.sluice.high and self.sluice.median > 1.1 * old.sluice.median

    def as_json(self):
        return dataclasses.asdict(self)

    @classmethod
    def of_json(cls, data):
        made = dict(data)
        for key, kind in (("sluice", Sample), ("peer", Sample), ("paired", Sample), ("bar", Bar)):
            made[key] = kind(**data[key]) if data.get(key) else None
        return cls(**made)


class Budget:
    """How much time a section may still take; sections ask before each repetition and end early rather than late."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.start = time.monotonic()

    def left(self):
        return self.seconds - (time.monotonic() - self.start)

    def part(self, share):
        """A budget of its own for a part: `share` of what is left."""
        return Budget(max(0.0, self.left() * share))

    def rounds(self, least, most):
        """Counts up to `most`, and past `least` only while another round is likely to fit."""
        before = self.left()
        for done in range(most):
            if done >= least and self.left() < (before - self.left()) / max(done, 1):
                return
            yield done


HEAD = ["what", "unit", "how", "Sluice", "peer", "ratio", "bar"]


def number(value):
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def table(rows):
    """Markdown: one table a section."""
    lines = []
    for section in dict.fromkeys(row.section for row in rows):
        lines += ["", f"**{section}**", "", "| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
        lines += ["| " + " | ".join(row.cells()) + " |" for row in rows if row.section == section]
    return "\n".join(lines[1:])

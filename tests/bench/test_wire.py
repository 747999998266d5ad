# SPDX-License-Identifier: Apache-2.0
"""What the rows of the wire section say: how many trials, why there are no figures, and Sluice's without a peer's."""
from wire import Phase, repeat, route_cases
from wire_measure import LossFree, Throughput
from rows import Budget


class Wire:
    """Devices that carry 10 and 12 Mpps; `no_peer`: one of them."""

    def __init__(self, no_peer=""):
        self.no_peer = no_peer

    def sides(self):
        return ("sluice",) if self.no_peer else ("sluice", "peer")

    def place(self):
        return "near"

    def trial(self, side, options):
        most, rate = {"sluice": 10e6, "peer": 12e6}[side], options[options.index("-r") + 1]
        asked = 20e6 if rate == "max" else float(rate.removesuffix("pps"))
        total = {"sent": min(asked, most), "received_pps": min(asked, most), "lost": 0, "refused": max(0.0, asked - most),
                 "skipped": 0, "latency_ns": {"p50": 5000, "p99": 9000}}
        return "near", {"seconds": 1.0, "longest_pass_ns": 0, "total": total}


def throughput(wire, rounds):
    case = Throughput(route_cases((64,), 1)[0])
    for _ in range(rounds):
        case.round(wire)
    return case


def test_rows_say_their_pairs_and_few_of_them_do_not_judge_a_bar():
    few, = throughput(Wire(), 4).rows()
    assert few.how.startswith("4 pairs") and few.cells()[-1] == "92 % (too few trials)"
    enough, = throughput(Wire(), 5).rows()
    assert enough.how.startswith("5 pairs") and enough.cells()[-1] == "92 % (not met)"


def test_own_figures_need_no_peer():
    wire = Wire("it is not installed")
    flood = throughput(wire, 4)
    row, = flood.rows()
    assert row.sluice.median == 10 and not row.peer and "4 trials; no peer: it is not installed" in row.how
    search = LossFree(flood.case, flood)
    for _ in range(60):
        search.round(wire)
    for _ in range(3):
        search.latency_round(wire)
    rate, p50, p99 = search.rows()
    assert rate.sluice.low <= 10 <= rate.sluice.high and not rate.peer
    assert p50.sluice.median == 5 and p99.sluice.median == 9 and p50.how.startswith("3 trials")


def test_loss_free_rate_of_both():
    flood = throughput(Wire(), 4)
    search = LossFree(flood.case, flood)
    for _ in range(60):
        search.round(Wire())
    row = search.rows()[0]
    assert row.sluice.low <= 10 <= row.sluice.high and row.peer.low <= 12 <= row.peer.high
    assert "searches: Sluice" in row.how and 0.8 < row.ratio() < 0.87


def test_phase_that_never_ran_says_why():
    cases = route_cases((64, 256), 1)
    phase = Phase("routing", "", cases, cases[0])
    assert all("too few" in row.skipped or "no search" in row.skipped or "none" in row.skipped for row in phase.rows())
    assert all(row.skipped == "not measured: Gone: it died" for row in phase.rows("Gone: it died"))
    phase.ended = True
    assert not any("it died" in row.skipped for row in phase.rows("Gone: it died"))


def test_rounds_are_repeated_as_often_as_asked_for():
    done = []
    repeat(Budget(0), [lambda: done.append(1)], 2, at_least=7)
    assert len(done) == 7
    repeat(Budget(100), [lambda: done.append(1)], 2, most=3)
    assert len(done) == 10


def test_cases_with_bars_have_enough_pairs_however_short_the_time():
    class Rig(Wire):
        reconfigure = staticmethod(lambda config, options: None)
    cases = route_cases((64, 256), 1)
    phase = Phase("routing", "", cases)
    for one in phase.throughputs:
        one.measure_stages = lambda wire: None
    phase.run(Rig(), Budget(0))
    assert [row.paired.count for row in phase.rows()] == [7, 3] and phase.ended

# SPDX-License-Identifier: Apache-2.0
"""Samples over processes, the sections' budget, curves and the page that shows them."""
import itertools
import re
import time
import xml.etree.ElementTree as ElementTree

import pytest

import growth
import in_process
import null_ports
import plot
import programs
import rows
import run
from rows import Budget, Row, Sample


def test_sample_across_processes_covers_every_process():
    one = Sample.across([Sample(100, 95, 105, 8), Sample(102, 97, 107, 8), Sample(120, 118, 125, 8)])
    assert one == Sample(102, 97, 120, 24)
    assert Sample.across([Sample(100, 95, 105, 8)]) == Sample(100, 95, 105, 8)


def case(**more):
    return {"case": "nat-known", "count": 65536, "workers": 1, "burst": 64, "median": 100.0, "tenth": 95.0,
            "ninetieth": 105.0, "clock_ghz": 3.5, "alone": 1.0, "burden": 0.9, "chunks": 256, "stages": {"parse": 30.0}} | more


def test_what_was_left_out_is_said():
    assert in_process.circumstances([case()] * 3) == "3 x 3.50 GHz"
    assert "20 % left out" in in_process.circumstances([case(alone=0.8), case(alone=0.8)])
    assert in_process.circumstances([case(alone=0.0)]).endswith("on a shared core")


@pytest.mark.parametrize("disturbed", [{"alone": 0.1}, {"burden": 1.3}])
def test_processes_on_a_shared_core_do_not_count(disturbed):
    cases = [case(), case(), case(median=150.0, ninetieth=160.0, **disturbed)]
    assert in_process.sample(cases) == Sample(100, 95, 105, 512)
    assert in_process.circumstances(cases) == "2 of 3 x 3.50 GHz, 33 % left out: shared core"


def test_rounds_are_as_many_as_asked_for_and_no_more_than_fit():
    assert list(Budget(0).rounds(3, 9)) == [0, 1, 2]
    assert len(list(Budget(1000).rounds(3, 9))) == 9
    done = 0
    for _ in Budget(0.5).rounds(1, 100):
        time.sleep(0.1)
        done += 1
    assert 3 <= done <= 5


class Context:
    tsc_hz = 2e9


def null_round(swap, factor=1.0):
    cycles = {"testpmd": 80.0, "macswap": 40.0, "written": 50.0, "nat": 110.0, "route": 100.0}
    return {kind: null_ports.Trial(value * factor, swap) for kind, value in cycles.items()}


def test_null_rows_take_the_writing_of_headers_off():
    swap, route, nat = null_ports.rows_of(Context, 64, [[null_round(40.0)] * 5, [null_round(41.0)] * 3])
    assert swap.sluice.median == 50 and swap.peer.median == 25
    assert route.sluice.median == pytest.approx(2e9 / 90 / 1e6) and nat.sluice.median == pytest.approx(20)
    assert nat.ratio() == pytest.approx(0.8) and nat.bar.met(nat) and route.bar.met(route)
    assert nat.how == ("100 cycles/packet; 110 (18.2 Mpps) with the 10 of writing headers; 8 of 8 trials, "
                       "testpmd 8 of 8 trials")


def test_disturbed_trials_count_only_where_there_are_too_few_others():
    processes = [[null_round(40.0)] * 6 + [null_round(70.0, 1.6)] * 2, [null_round(60.0, 1.5)] * 4]
    kept, which = null_ports.undisturbed(processes, "nat")
    assert kept == [[110.0] * 6] and which == "6 of 12 trials"
    kept, which = null_ports.undisturbed([[null_round(40.0)] * 3 + [null_round(70.0, 1.6)] * 9], "nat")
    assert len(kept[0]) == 12 and "disturbed core" in which


def test_pooled_sample_covers_every_process():
    assert Sample.pooled([list(range(1, 21)), [30, 31]]) == Sample(11.5, 3, 30.5, 22)


def test_every_point_of_growth_has_its_own_name():
    for quick in (True, False):
        names = [growth.point_row(point, [case(case=what)]).what for point in growth.wanted(quick) for what in point.curves]
        assert len(names) == len(set(names))
    assert growth.counted(1, "prefix") == "1 prefix" and growth.counted(1000, "prefix") == "1,000 prefixes"
    assert {point.x for point in growth.wanted(False) if point.plot == "flows"} >= {1, 1 << 20, 1 << 24}


def test_threads_rows_compare_within_one_place():
    found = [("near", 10, 18, 0.0), ("far", 10, 9, 0.1), ("near", 10, 20, 0.0), ("near", 10, 19, 0.0)]
    row, lost = growth.threads_rows("NAT44", found, moved=2)
    assert row.condition == "cores near" and row.ratio() == 1.9 and row.how.startswith("3 of 6 trials")
    assert lost.condition == "cores near" and lost.sluice.median == 0 and "lost" in lost.what
    assert growth.threads_rows("NAT44", [], moved=2)[0].skipped
    few, = growth.threads_rows("NAT44", found[:3], moved=2)
    assert few.skipped.endswith("only 2 of 5 trials") and not few.sluice
    assert [growth.place(cycles) for cycles in (150, 600, 800, 1300)] == ["siblings", "near", "middle", "far"]


def test_two_workers_are_left_out_where_there_is_no_time():
    rows = growth.threads_measure(None, Budget(1))
    assert len(rows) == 2 and all(row.skipped.startswith("no time") for row in rows)


def test_point_that_fails_is_a_row_and_the_others_go_on(monkeypatch):
    def pipeline(_, *arguments):
        if "nat=2" in arguments:
            raise RuntimeError("it hung")
        return [case(case="nat-known")]
    monkeypatch.setattr(growth.programs, "pipeline", pipeline)
    points = [growth.Task((f"nat={x}",), "flows", x, growth.NAT) for x in (1, 2)]
    measured, failed = growth.points_measure(Context, Budget(0.05), points)
    assert [point.x for point, _ in measured] == [1] and [row.skipped for row in failed] == ["it hung"]


def test_null_ports_without_testpmd_say_so(monkeypatch):
    monkeypatch.setattr(null_ports.programs.shutil, "which", lambda name: None)
    rows = null_ports.measure(None, Budget(10))
    assert len(rows) == 6 and all("tools/install-deps bench" in row.skipped for row in rows)
    names = [row.what for burst in null_ports.BURSTS for row in null_ports.rows_of(Context, burst, [[null_round(40.0)] * 8])]
    assert sorted(names) == sorted(row.what for row in rows), "the same rows as where there is one"


def test_child_that_hangs_is_ended_and_one_that_ends_says_its_last_words():
    with pytest.raises(RuntimeError, match="bench_sleep did not answer within 0 s"):
        with programs.running(["/usr/bin/python3", "-c", "import time; time.sleep(60)", "bench_sleep"]) as child:
            child.line_matching("^ready$", 0.2)
    assert child.process.returncode is not None
    with pytest.raises(RuntimeError, match="ended early: no memory"):
        with programs.running(["/usr/bin/python3", "-c", "print('no memory')", "bench_poor"]) as child:
            child.line_matching("^ready$", 20)


def test_child_answers():
    with programs.running(["/usr/bin/python3", "-c", "print('x\\nready', input())", "bench_echo"]) as child:
        child.tell("now\n")
        assert child.line_matching("^ready (.*)$").group(1) == "now"


def points():
    return [Row("growth", f"{curve}: {x}", "cycles/packet", sluice=Sample(y, y - 5, y + 5, 9), plot="flows", curve=curve, x=x)
            for curve, at in (("routing", 70), ("NAT44 <new>", 600)) for x, y in ((1, at), (1000, at + 10), (1000000, at + 50))]


def test_plot_is_well_formed_and_has_every_point_in_its_place():
    tree = ElementTree.fromstring(plot.svg(growth.plots(points())["flows"]))
    circles = [(float(one.get("cx")), float(one.get("cy"))) for one in tree.iter("{http://www.w3.org/2000/svg}circle")]
    assert len(circles) == 6
    assert all(plot.LEFT <= x <= plot.WIDTH - plot.RIGHT and plot.TOP <= y <= plot.HEIGHT - plot.BOTTOM for x, y in circles)
    new, routing = circles[:3], circles[3:]
    assert all(a[1] > b[1] for a, b in itertools.pairwise(routing)), "dearer is higher up"
    assert [a[0] for a in new] == [b[0] for b in routing] and all(a[1] < b[1] for a, b in zip(new, routing))


@pytest.mark.parametrize("low, high", [(0, 4.2), (0, 150), (0, 1), (0, 0.03), (0, 99999)])
def test_linear_axes_have_four_to_ten_steps(low, high):
    steps = plot.steps_linear(low, high)
    assert 4 <= len(steps) - 1 <= 10 and steps[-1] <= high


def test_short_numbers():
    assert [plot.short(x) for x in (1, 1000, 65536, 1000000)] == ["1", "1 K", "65.536 K", "1 M"]


def test_page_needs_nothing_from_elsewhere(tmp_path):
    made = [*points(), Row("wire", "NAT44", "Mpps", skipped="no <core>")]
    run.write_html(tmp_path / "page.html", "a note", made, growth.plots(made))
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|<img|url\(|src=|href=", text)
    assert set(re.findall(r"https?://[^\"]+", text)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert text.count("<svg") == 1 and "no &lt;core&gt;" in text and len(rows.HEAD) == text.count("<th>") / 2


def test_write_docs_renews_the_table_and_the_plots(tmp_path, monkeypatch):
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{run.MARK[0]}\nold\n{run.MARK[1]}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(run, "PAGE", page)
    run.write_docs("new", growth.plots(points()))
    assert page.read_text(encoding="utf-8") == f"before\n{run.MARK[0]}\nnew\n{run.MARK[1]}\nafter\n"
    assert (tmp_path / "performance-flows.svg").read_text(encoding="utf-8").startswith("<svg")

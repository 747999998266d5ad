# SPDX-License-Identifier: Apache-2.0
"""Statistics, ratios, bars and regressions of the table."""
import dataclasses
import json

import pytest

import run
from rows import Bar, Budget, Row, Sample, table


def row(median, low=None, high=None, peer=None, **more):
    sample = Sample(median, low or median, high or median, 3)
    return Row("wire", "NAT44", more.pop("unit", "Mpps"), sluice=sample, peer=Sample(peer, peer, peer) if peer else None, **more)


def test_sample_is_the_median_and_the_middle_eight_tenths():
    assert Sample.of([3]) == Sample(3, 3, 3, 1)
    assert Sample.of([5, 1, 3]) == Sample(3, 1, 5, 3)
    assert Sample.of(range(1, 21)) == Sample(10.5, 3, 18, 20)


@pytest.mark.parametrize("higher, ratio", [(True, 0.5), (False, 2.0)])
def test_ratio_says_how_many_times_better(higher, ratio):
    assert row(5, peer=10, higher_is_better=higher).ratio() == ratio
    assert row(5, higher_is_better=higher).ratio() is None
    assert row(5, peer=0, higher_is_better=higher).ratio() is None


def test_ratio_of_pairs_comes_before_that_of_medians():
    paired = row(5, peer=10, higher_is_better=True, paired=Sample(0.9, 0.8, 1, 5))
    assert paired.ratio() == 0.9
    assert Row.of_json(paired.as_json()) == paired
    assert Bar(0.85, of_ratio=True).met(paired)


def test_bars_of_figures_and_of_ratios():
    assert Bar(60).met(row(59)) and not Bar(60).met(row(61))
    assert Bar(500).met(row(501, higher_is_better=True)) and not Bar(500).met(row(499, higher_is_better=True))
    assert Bar(0.85, of_ratio=True).met(row(9, peer=10, higher_is_better=True))
    assert not Bar(0.92, of_ratio=True).met(row(9, peer=10, higher_is_better=True))
    assert Bar(0.85, of_ratio=True).met(row(9, higher_is_better=True)) is None
    assert Bar(0.92, of_ratio=True).text(row(9, peer=10, higher_is_better=True)) == "92 % (not met)"


def test_bar_is_not_judged_from_too_few_pairs():
    bar = Bar(0.85, of_ratio=True, pairs=5)
    few, enough = (row(9, peer=10, higher_is_better=True, paired=Sample(0.9, 0.9, 0.9, count)) for count in (4, 5))
    assert bar.met(few) is None and bar.text(few) == "85 % (too few trials)"
    assert bar.met(enough) and bar.text(enough) == "85 % (met)"
    assert bar.text(row(9, peer=10, higher_is_better=True)) == "85 % (too few trials)"
    assert bar.text(row(9, higher_is_better=True)) == "85 %"


@pytest.mark.parametrize("before, after, higher, slower", [
    ((10, 9, 11), (8, 7, 8.5), True, True), ((10, 9, 11), (8.5, 8, 9.5), True, False),  # spreads meet
    ((10, 9.9, 10.1), (9.5, 9.4, 9.6), True, False),  # less than a tenth
    ((10, 9, 11), (12, 11.5, 13), True, False), ((10, 9, 11), (12, 11.5, 13), False, True)])
def test_slower_is_beyond_both_spreads_and_a_tenth(before, after, higher, slower):
    assert row(*after, higher_is_better=higher).slower_than(row(*before, higher_is_better=higher)) == slower


def test_rows_under_other_conditions_are_not_compared():
    old, new = row(10, higher_is_better=True, condition="cores near"), row(4, higher_is_better=True, condition="cores far")
    assert not new.slower_than(old)
    assert dataclasses.replace(new, condition="cores near").slower_than(old)
    assert not row(4, higher_is_better=True, unit="kpps").slower_than(row(10, higher_is_better=True))


def earlier_write(path, rows):
    path.write_text(json.dumps({"cpu": "one", "rows": [one.as_json() for one in rows]}))
    return run.earlier_read(path)


def test_regressions_are_found_in_a_file(tmp_path, capsys):
    before = [row(10, higher_is_better=True, condition=f"cores {place}") for place in ("near", "far", "middle")]
    earlier = earlier_write(tmp_path / "before.json", before)
    assert earlier == ("one", before)
    now = [row(10, higher_is_better=True, condition="cores near"), row(5, higher_is_better=True, condition="cores far"),
           row(1, higher_is_better=True, condition="cores siblings")]
    worse = run.regressions(now, before)
    assert len(worse) == 1 and "far" in worse[0]
    assert run.compare(now, "two", earlier, None)
    said = capsys.readouterr().out
    assert "another CPU than before: one, now two" in said and "no longer measured: wire: NAT44: cores middle\n" in said
    assert said.count("no longer") == 1
    assert not run.compare(before, "one", earlier, None) and not capsys.readouterr().out


def test_rows_are_missed_only_of_sections_that_were_run():
    before = [row(10), dataclasses.replace(row(10), section="growth")]
    assert run.missing([], before, ["wire"]) == ["wire: NAT44"]
    assert len(run.missing([Row("wire", "NAT44", "Mpps", skipped="no core")], before, None)) == 2


@pytest.mark.parametrize("text", [None, "no json", "[]", "{}", '{"cpu": "x", "rows": [{"a": 1}]}', '{"cpu": "x", "rows": 5}', b"\xff"])
def test_a_file_that_is_missing_or_of_another_kind_is_refused_with_its_name(tmp_path, text):
    path = tmp_path / "before.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match="before.json"):
        run.earlier_read(path)


@pytest.mark.parametrize("more", [["--seconds", "5"], ["--against", "/nonexistent"]])
def test_what_cannot_work_is_refused_before_anything_is_measured(monkeypatch, capsys, more):
    monkeypatch.setattr(run.sys, "argv", ["bench", "--build", "b", *more])
    with pytest.raises(SystemExit) as ended:
        run.arguments()
    assert ended.value.code == 2 and more[0] in capsys.readouterr().err


@pytest.mark.parametrize("why, status", [(KeyboardInterrupt, 130), (SystemExit(143), 143), (KeyError("x"), 0)])
def test_what_was_measured_is_written_whatever_ends_the_run(tmp_path, monkeypatch, why, status):
    def fail(*_):
        raise why
    path = tmp_path / "out.json"
    monkeypatch.setattr(run, "SECTIONS", [("wire", 0.5, lambda *_: [row(10)]), ("peers", 0.5, fail)])
    monkeypatch.setattr(run, "tsc_hz", lambda build: 2e9)
    monkeypatch.setattr(run.sys, "argv", ["bench", "--build", "b", "--json", str(path)])
    assert run.main() == status
    _, rows = run.earlier_read(path)
    assert [one.what for one in rows] == ["NAT44", "all"] and rows[0].sluice and rows[1].skipped


def test_table_tells_why_a_row_has_no_figures():
    text = table([Row("wire", "NAT44", "Mpps", skipped="no core"), row(10, peer=8, higher_is_better=True, condition="cores far")])
    assert "| NAT44 | Mpps | no core | - | - | - |  |" in text
    assert "| NAT44, cores far | Mpps |  | 10.0 (10.0-10.0) | 8.00  | 1.25 |  |" in text


def test_parts_of_a_budget():
    budget = Budget(100)
    assert 49 < budget.part(0.5).left() <= 50
    assert Budget(0).part(0.5).seconds == 0

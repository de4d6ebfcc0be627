"""The counters: added up over workers, told as Prometheus reads them."""

from __future__ import annotations

import re

from zetaroute.serve.metrics import Metrics

LINE = re.compile(r'[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\})? \S+')


def test_workers_are_added_up() -> None:
    first = Metrics(["a/b"], workers=2, slot=0)
    second = Metrics(["a/b"], cells=first.cells, workers=2, slot=1)
    for metrics in (first, second, second):
        metrics.request("chat", 200)
    second.add("zetaroute_in_flight")
    assert 'zetaroute_requests_total{place="chat",status="200"} 3\n' in first.text()
    assert "zetaroute_in_flight 1\n" in first.text()
    # Its successor counts on, and what was under way in it is over.
    Metrics(["a/b"], cells=first.cells, workers=2, slot=1).request("chat", 200)
    assert 'zetaroute_requests_total{place="chat",status="200"} 4\n' in first.text()
    assert "zetaroute_in_flight 0\n" in first.text()


def test_buckets_count_all_that_is_below() -> None:
    metrics = Metrics(["a/b"])
    for seconds in (0.0005, 0.02, 0.02, 1000.0):
        metrics.observe("zetaroute_added_seconds", seconds)
    text = metrics.text()
    for bound, count in (("0.001", 1), ("0.01", 1), ("0.025", 3), ("120.0", 3), ("+Inf", 4)):
        assert f'zetaroute_added_seconds_bucket{{le="{bound}"}} {count}\n' in text
    assert "zetaroute_added_seconds_count 4\n" in text


def test_any_name_of_a_model_can_be_told() -> None:
    metrics = Metrics(['a"b\\c\nd'])
    metrics.add("zetaroute_outcomes_total", model='a"b\\c\nd', status="ok")
    lines = [line for line in metrics.text(ready=1.0).splitlines() if not line.startswith("#")]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert lines[-1] == "zetaroute_ready 1"


def test_an_unknown_status_is_counted_as_another() -> None:
    metrics = Metrics(["a/b"])
    metrics.request("other", 418)
    assert 'zetaroute_requests_total{place="other",status="other"} 1\n' in metrics.text()

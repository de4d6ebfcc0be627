"""What OpenTelemetry is told, into memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import by_model, fails, http_config, says
from tests.providers.loopback import ModelServer
from tests.serve.inside import Ask, inside
from zetaroute.serve.telemetry import Telemetry, open_telemetry

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_an_answer_its_calls_and_what_is_said_of_it_are_of_one_trace(
    tmp_path: Path, server: ModelServer
) -> None:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans, events, reader = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()
    traces, logs = TracerProvider(), LoggerProvider()
    traces.add_span_processor(SimpleSpanProcessor(spans))
    logs.add_log_record_processor(SimpleLogRecordProcessor(events))
    server.reply(by_model(m1=fails(403), m2=says("secret")))
    counted: list[str] = []

    async def script(ask: Ask) -> None:
        said = {"model": "auto", "messages": [{"role": "user", "content": "private?"}]}
        for _ in range(20):
            told = await ask("/v1/chat/completions", said, traceparent=f"00-{TRACE}-{SPAN}-01")
        judged = {"inference_id": told.json()["id"], "metric_name": "thumbs", "value": 1}
        assert (await ask("/v1/feedback", judged)).status_code == 200
        data = reader.get_metrics_data()
        counted.extend(
            one.name for of in data.resource_metrics for scope in of.scope_metrics for one in scope.metrics
        )

    inside(
        tmp_path / "home",
        http_config(server),
        script,
        telemetry=Telemetry(traces, MeterProvider([reader]), logs),
    )
    found = spans.get_finished_spans()
    assert {f"{one.context.trace_id:032x}" for one in found} == {TRACE}
    routes = {one.context.span_id: one for one in found if one.name == "route"}
    assert {f"{one.parent.span_id:016x}" for one in routes.values()} == {SPAN}
    calls = [one for one in found if one.name != "route"]
    assert {one.name for one in calls} == {"chat m1", "chat m2"}
    assert {one.parent.span_id for one in calls} == routes.keys()
    (failed, *_) = (one for one in calls if one.name == "chat m1")
    assert (failed.attributes["error.type"], failed.status.is_ok) == ("unauthorised", False)
    (event,) = events.get_finished_logs()
    record = event.log_record
    assert record.event_name == "gen_ai.evaluation.result"
    assert record.attributes["gen_ai.evaluation.score.value"] == 1
    (judged,) = (one for one in calls if one.context.span_id == record.span_id)
    assert judged.attributes["gen_ai.response.id"] == record.attributes["gen_ai.response.id"]
    assert judged.attributes["gen_ai.usage.input_tokens"] == 10
    assert sorted(counted) == ["gen_ai.client.operation.duration", "gen_ai.client.token.usage"]
    assert "secret" not in str([one.attributes for one in found])
    assert "private" not in str([one.attributes for one in found])


def test_nothing_is_imported_without_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert open_telemetry() is None
    code = "import sys, zetaroute.serve.app; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

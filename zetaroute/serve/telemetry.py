"""OpenTelemetry: a span for each answer and call, metrics, and what is said of answers, by the GenAI conventions.

Nothing of it is imported unless a standard variable names where it goes. No text of anybody is in it.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from zetaroute.domain import Arm, Feedback, Outcome
from zetaroute.router.answer import Answer
from zetaroute.version import __version__

_ENDPOINTS = tuple(f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT" for kind in ("", "TRACES_", "METRICS_", "LOGS_"))
_LAST_S = 3.0
_MOST = 10_000
"""Answers whose span later feedback is tied to; of others it names the id alone."""
_PROVIDERS = {"openai": "openai", "responses": "openai", "anthropic": "anthropic"}
_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(4.0**power for power in range(14))
"""The bounds that the conventions ask for."""


class Telemetry:
    """Reports answers and feedback to three providers of OpenTelemetry: of traces, metrics and logs."""

    def __init__(self, traces: Any, metrics: Any, logs: Any) -> None:
        """Report to providers of the API; `aclose` shuts them down."""
        self._providers = (traces, metrics, logs)
        self._tracer = traces.get_tracer("zetaroute", __version__)
        self._logger = logs.get_logger("zetaroute", __version__)
        meter = metrics.get_meter("zetaroute", __version__)
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="Time of a call of a model.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Tokens of a call of a model.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )
        self._contexts: OrderedDict[str, Any] = OrderedDict()
        """By the id of an outcome: the span of its call."""

    def answered(
        self, answer: Answer, arms: Mapping[str, Arm], *, headers: Mapping[str, str], began_s: float
    ) -> None:
        """Report an answer, or the failure to get one, with a call for each of its rows.

        `headers` may hold the trace that it is a part of; `began_s` is in seconds since the epoch.
        """
        from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        decision, now_s = answer.decision, time.time()
        told = {
            "zetaroute.outcome": answer.id,
            "zetaroute.model": answer.model,
            "zetaroute.policy": decision.policy_version,
            "zetaroute.propensity": decision.propensity,
            "zetaroute.forced": decision.forced,
            "zetaroute.explored": decision.explored,
            "zetaroute.switched_from": decision.switch.kept
            if decision.switch and decision.switch.taken
            else None,
            "zetaroute.cost_usd": answer.cost_usd,
        }
        parent = TraceContextTextMapPropagator().extract(headers)
        route = self._tracer.start_span(
            "route", parent, kind=SpanKind.SERVER, attributes=_known(told), start_time=_ns(began_s)
        )
        within, start_s = set_span_in_context(route), began_s
        for row in answer.entry.outcomes:
            end_s = min(start_s + (row.response_s or 0.0), now_s)
            span = self._tracer.start_span(
                f"chat {arms[row.model].model}",
                within,
                kind=SpanKind.CLIENT,
                attributes=_known(_call(row, arms[row.model])),
                start_time=_ns(start_s),
            )
            if row.status != "ok":
                span.set_status(StatusCode.ERROR)
            span.end(_ns(end_s))
            self._count(row, arms[row.model])
            self._contexts[row.id] = span.get_span_context()
            while len(self._contexts) > _MOST:
                self._contexts.popitem(last=False)
            start_s = end_s
        if answer.completion is None:
            route.set_status(StatusCode.ERROR)
        route.end(_ns(now_s))

    def judged(self, said: Feedback) -> None:
        """Report what was said of an answer as an event that its call is tied to."""
        from opentelemetry._logs import LogRecord
        from opentelemetry.trace import NonRecordingSpan, set_span_in_context

        known = self._contexts.get(said.outcome_id)
        attributes = {
            "gen_ai.evaluation.name": said.metric,
            "gen_ai.evaluation.score.value": said.value,
            "gen_ai.evaluation.score.label": said.label,
            "gen_ai.response.id": said.outcome_id,
            "zetaroute.source": said.source,
        }
        now = time.time_ns()
        self._logger.emit(
            LogRecord(
                timestamp=now,
                observed_timestamp=now,
                context=None if known is None else set_span_in_context(NonRecordingSpan(known)),
                event_name="gen_ai.evaluation.result",
                attributes=_known(attributes),
            )
        )

    def close(self) -> None:
        """Send what waits, for a moment: a collector that is away must not hold up the end."""

        def shut_down() -> None:
            for provider in self._providers:
                provider.shutdown()

        ending = threading.Thread(target=shut_down, daemon=True)
        ending.start()
        ending.join(_LAST_S)

    def _count(self, row: Outcome, arm: Arm) -> None:
        labels = _names(row, arm)
        if row.response_s is not None:
            self._duration.record(row.response_s, _known({**labels, "error.type": row.error_kind}))
        for kind, tokens in (("input", row.input_tokens), ("output", row.output_tokens)):
            if tokens is not None:
                self._tokens.record(tokens, _known({**labels, "gen_ai.token.type": kind}))


def open_telemetry() -> Telemetry | None:
    """Return what reports to where the standard variables say; None where they name no place."""
    wanted = any(os.environ.get(name) for name in _ENDPOINTS)
    if not wanted or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        missing = importlib.util.find_spec("opentelemetry.exporter.otlp.proto.http") is None
    except ModuleNotFoundError:
        missing = True
    if missing:
        logging.getLogger("zetaroute").warning(
            "note: OpenTelemetry is asked for, and not installed: `pip install 'zetaroute[otel]'` brings it."
        )
        return None
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    resource = Resource.create({} if named else {"service.name": "zetaroute"})
    traces, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    return Telemetry(traces, MeterProvider([reader], resource=resource), logs)


def _call(row: Outcome, arm: Arm) -> dict[str, Any]:
    """Return the attributes of one call."""
    url = urlsplit(arm.base_url or "")
    return {
        **_names(row, arm),
        "gen_ai.response.id": row.id,
        "gen_ai.response.finish_reasons": None if row.finish_reason is None else [row.finish_reason],
        "gen_ai.usage.input_tokens": row.input_tokens,
        "gen_ai.usage.output_tokens": row.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": row.cached_tokens,
        "gen_ai.usage.cache_creation.input_tokens": row.cache_write_tokens,
        "server.address": url.hostname,
        "server.port": url.port,
        "error.type": row.error_kind,
        "zetaroute.role": row.role,
        "zetaroute.cost_usd": row.cost_usd,
    }


def _names(row: Outcome, arm: Arm) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(arm.provider, arm.provider),
        "gen_ai.request.model": arm.model,
        "gen_ai.response.model": row.served_model,
    }


def _known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _ns(moment_s: float) -> int:
    return int(moment_s * 1e9)

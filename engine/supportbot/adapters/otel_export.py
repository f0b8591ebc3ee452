"""The sending side of telemetry: OpenTelemetry's SDK with its exporters, held to bounds and to a deadline.

Spans are made after the response, queued within bounds and sent by a thread; a collector that is down or
hangs costs them and nothing else. The one module that imports OpenTelemetry.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from supportbot import __version__
from supportbot.adapters.otel_spans import NS, Attributes, Request, Span, TurnSpans
from supportbot.model.bot import Bot
from supportbot.runtime.ids import new_id
from supportbot.runtime.results import TurnResult

log = logging.getLogger("supportbot.telemetry")

PAUSE = 0.05  # seconds after a turn, in which its response goes out first
CLOSE_SECONDS = 2.0  # for what still waits when the server ends
KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
# The buckets that the conventions recommend.
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(4**power for power in range(14))
LABELS = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
)

_request: ContextVar[Request | None] = ContextVar("traced_request", default=None)


class Telemetry:
    """Follows requests whose turns are told. Its methods never raise and never wait."""

    def __init__(
        self, spans: TurnSpans, tracer: Tracer | None, questions: Questions | None, shut: Sequence[Callable[[], object]]
    ) -> None:
        self._spans = spans
        self._tracer = tracer
        self._questions = questions
        self._shut = shut
        self._parents = TraceContextTextMapPropagator()
        self._waiting: deque[Request] = deque()

    def arrived(self, method: str, route: str, traceparent: str, request_id: str) -> None:
        """A request began; what is called in its tasks belongs to it. ``traceparent``: checked, or empty."""
        _request.set(Request(method, route, traceparent, request_id, time.time_ns()))

    def responded(self, status: int) -> None:
        if (request := _request.get()) is not None:
            request.ended, request.status = time.time_ns(), status

    def took_turn(self, bot: Bot, result: TurnResult) -> None:
        if (request := self._undecided()) is not None:
            request.bot, request.result = bot, result
            self._tell_soon(request)

    def turn_failed(self, channel: str, failure: BaseException) -> None:
        if (request := self._undecided()) is not None:
            request.channel, request.failure = channel, type(failure).__name__
            self._tell_soon(request)

    async def close(self) -> None:
        """Send what waits, and give up after ``CLOSE_SECONDS``."""
        while self._waiting:
            self._tell()
        loop, done = asyncio.get_running_loop(), [asyncio.Event() for _ in self._shut]

        def shut(work: Callable[[], object], event: asyncio.Event) -> None:
            with suppress(Exception):
                work()
            with suppress(RuntimeError):  # the loop is closed: nobody waited for so long
                loop.call_soon_threadsafe(event.set)

        for work, event in zip(self._shut, done, strict=True):
            # No executor: the end of the loop would wait for its threads, however long they hang.
            threading.Thread(target=shut, args=(work, event), daemon=True).start()
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                for event in done:
                    await event.wait()
        except TimeoutError:
            log.warning("the collector did not take the last traces within %g seconds", CLOSE_SECONDS)

    # --- inside ------------------------------------------------------------------------------

    def _undecided(self) -> Request | None:
        """The request of this task, when it has no turn yet."""
        request = _request.get()
        return request if request is not None and not request.decided else None

    def _tell_soon(self, request: Request) -> None:
        request.decided = time.time_ns()
        self._waiting.append(request)
        asyncio.get_running_loop().call_later(PAUSE, self._tell)

    def _tell(self) -> None:
        if not self._waiting:
            return
        request = self._waiting.popleft()
        try:
            span = self._spans.of(request)
            if self._questions is not None:
                self._questions.count(span)
            if self._tracer is not None:
                carrier = {"traceparent": request.traceparent} if request.traceparent else {}
                _emit(self._tracer, span, self._parents.extract(carrier, Context()))
        except Exception as failure:
            log.warning("a turn could not be told to the collector: %s", type(failure).__name__)


class Questions:
    """The two metrics of the conventions that whoever asks a model keeps."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("supportbot", __version__)
        self._seconds: Histogram = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._tokens: Histogram = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )

    def count(self, span: Span) -> None:
        """Every question to a model in a span and below it."""
        for child in span.children:
            self.count(child)
        known = span.attributes
        if known.get("gen_ai.operation.name") is None:
            return
        labels: Attributes = {name: known[name] for name in LABELS if name in known}
        for kind in ("input", "output"):
            tokens = known.get(f"gen_ai.usage.{kind}_tokens")
            if isinstance(tokens, int):
                self._tokens.record(tokens, {**labels, "gen_ai.token.type": kind})
        error = {"error.type": span.error} if span.error else {}
        self._seconds.record((span.end - span.start) / NS, {**labels, **error})


class Arrival:
    """Says once that a signal does not arrive any more, and once that it does again."""

    def __init__(self, signal: str) -> None:
        self._signal = signal
        self._fails = False

    def note(self, arrived: bool) -> None:
        if arrived and self._fails:
            log.info("%s arrive at the collector again", self._signal)
        elif not arrived and not self._fails:
            log.warning("%s do not arrive at the collector and are lost; see OTEL_EXPORTER_OTLP_ENDPOINT", self._signal)
        self._fails = not arrived


class SpanExporter(OTLPSpanExporter):
    def __init__(self) -> None:
        super().__init__()
        self._arrival = Arrival("traces")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = super().export(spans)
        self._arrival.note(result is SpanExportResult.SUCCESS)
        return result


class MetricExporter(OTLPMetricExporter):
    def __init__(self) -> None:
        super().__init__()
        self._arrival = Arrival("metrics")

    def export(
        self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        result = super().export(metrics_data, timeout_millis, **kwargs)
        self._arrival.note(result is MetricExportResult.SUCCESS)
        return result


def export(signals: Sequence[str], spans: TurnSpans, environment: Mapping[str, str]) -> Telemetry:
    """Telemetry that sends these signals as the ``OTEL_...`` variables say. Raises whatever the SDK raises of them."""
    tracer: Tracer | None = None
    questions: Questions | None = None
    shut: list[Callable[[], object]] = []
    with _as_environment(environment):
        resource = _resource()
        if "traces" in signals:
            traces = TracerProvider(resource=resource, shutdown_on_exit=False)
            traces.add_span_processor(BatchSpanProcessor(SpanExporter()))
            tracer = traces.get_tracer("supportbot", __version__)
            shut.append(traces.shutdown)
        if "metrics" in signals:
            reader = PeriodicExportingMetricReader(MetricExporter())
            metrics = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
            questions = Questions(metrics)
            shut.append(metrics.shutdown)
    # It would write a line for each attempt, with the collector's address; Arrival says it once, without.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    return Telemetry(spans, tracer, questions, shut)


def _emit(tracer: Tracer, facts: Span, context: Context) -> None:
    span = tracer.start_span(facts.name, context, KINDS[facts.kind], facts.attributes, start_time=facts.start)
    if span.is_recording():
        inside = set_span_in_context(span, context) if facts.children else context
        for child in facts.children:
            _emit(tracer, child, inside)
        if facts.error:
            span.set_status(StatusCode.ERROR)
    span.end(facts.end)


def _resource() -> Resource:
    """Who sends. Each process is an instance of its own; what the environment says wins."""
    ours = {"service.name": "supportbot", "service.version": __version__, "service.instance.id": new_id()}
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})


@contextmanager
def _as_environment(environment: Mapping[str, str]) -> Iterator[None]:
    """The SDK reads the process's own variables only; those of a .env file are lent to it while it starts."""
    lent = {name: value for name, value in environment.items() if name.startswith("OTEL_") and name not in os.environ}
    os.environ.update(lent)
    try:
        yield
    finally:
        for name in lent:
            os.environ.pop(name, None)

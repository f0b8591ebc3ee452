"""A real OpenTelemetry collector's end of OTLP over HTTP, on loopback: takes traces and metrics, well or badly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from tests.serving import serving


@dataclass(frozen=True)
class Seen:
    """A span as it arrived; ``kind`` and ``status`` are the numbers of the protocol."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    start: int
    end: int
    status: int
    attributes: dict[str, Any]


class Collector:
    """``mode``: ok, hang, broken (503: try again) or refused (400). ``bodies``: what came, as it came."""

    def __init__(self, mode: str = "ok") -> None:
        self.mode = mode
        self.base = ""
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.spans: list[Seen] = []
        self.metrics: dict[str, list[dict[str, Any]]] = {}
        self.resource: dict[str, Any] = {}
        self.asked = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Collector]:
        async with serving(web.post("/v1/traces", self._traces), web.post("/v1/metrics", self._metrics)) as self.base:
            yield self

    def named(self, name: str) -> Seen:
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def below(self, span: Seen) -> list[str]:
        """Names of a span's children, in the order in which they began."""
        children = sorted((one.start, one.end, one.name) for one in self.spans if one.parent == span.id)
        return [name for _, _, name in children]

    async def _traces(self, request: web.Request) -> web.Response:
        if (refused := await self._refused(request)) is not None:
            return refused
        message = ExportTraceServiceRequest.FromString(self.bodies[-1])
        for resource in message.resource_spans:
            self.resource = _attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans += [_seen(span) for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    async def _metrics(self, request: web.Request) -> web.Response:
        if (refused := await self._refused(request)) is not None:
            return refused
        message = ExportMetricsServiceRequest.FromString(self.bodies[-1])
        for resource in message.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = [_attributes(p.attributes) | {"sum": p.sum} for p in metric.histogram.data_points]
                    self.metrics[metric.name] = points
        return web.Response(content_type="application/x-protobuf")

    async def _refused(self, request: web.Request) -> web.Response | None:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        self.asked.set()
        if self.mode == "hang":
            await asyncio.sleep(60)
        status = {"broken": 503, "refused": 400}.get(self.mode)
        return web.Response(status=status) if status is not None else None


def _seen(span: Any) -> Seen:
    return Seen(
        span.name,
        span.kind,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code,
        _attributes(span.attributes),
    )


def _attributes(items: Any) -> dict[str, Any]:
    return dict(_pairs(items))


def _pairs(items: list[KeyValue]) -> Iterator[tuple[str, Any]]:
    for item in items:
        yield item.key, getattr(item.value, item.value.WhichOneof("value"))

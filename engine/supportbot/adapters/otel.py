"""Traces and metrics for an OpenTelemetry collector, when the environment names one and the extra ``otel`` is there.

The variables are OpenTelemetry's own. Nothing of it is imported before both are known to be so.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping

from supportbot.adapters.otel_spans import TurnSpans
from supportbot.runtime.tracing import Tracing

log = logging.getLogger("supportbot.telemetry")

NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
INSTALL = "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
PROTOCOL = "http/protobuf"
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
WITH_CONTENT = frozenset({"true", "1", "span_only", "span_and_event"})


def telemetry(environment: Mapping[str, str]) -> Tracing | None:
    """What tells a collector of each turn; None when nobody asked for it, or it cannot work."""
    signals = wanted(environment)
    if not signals or unavailable(environment):
        return None
    # Here and not above: a server that tells nobody, and every other verb, starts without OpenTelemetry.
    from supportbot.adapters.otel_export import export

    content = environment.get(CONTENT, "").strip().lower() in WITH_CONTENT
    try:
        return export(signals, TurnSpans(environment, content), environment)
    except Exception as failure:  # the class only: a text may quote the address, or a header with a key
        log.warning(
            "OpenTelemetry does not start, nothing is sent: %s; look at the OTEL_... variables",
            type(failure).__name__,
        )
        return None


def wanted(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The signals that are to be sent: "traces", "metrics"."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    return tuple(signal for signal in ("traces", "metrics") if _is_wanted(signal.upper(), environment))


def unavailable(environment: Mapping[str, str]) -> str:
    """Why nothing is sent although the environment asks for it, and what to do; empty when nothing is wrong."""
    signals = wanted(environment)
    if not signals:
        return ""
    if not all(map(_is_installed, NEEDED)):
        return f"{' and '.join(signals)} are not sent to the collector, OpenTelemetry is not installed: {INSTALL}"
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", *(f"OTEL_EXPORTER_OTLP_{one.upper()}_PROTOCOL" for one in signals)):
        if environment.get(name, "").strip() not in ("", PROTOCOL):
            return f"{' and '.join(signals)} are not sent: {name} names a protocol that is not spoken; use {PROTOCOL}"
    return ""


def _is_wanted(signal: str, environment: Mapping[str, str]) -> bool:
    exporters = environment.get(f"OTEL_{signal}_EXPORTER", "").strip().lower() or "otlp"
    names = (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return "otlp" in [name.strip() for name in exporters.split(",")] and any(
        environment.get(name, "").strip() for name in names
    )


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # a package above it is missing
        return False

"""Spans to OpenTelemetry collectors: OTLP."""

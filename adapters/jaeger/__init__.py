"""Spans to a Jaeger collector, in Thrift over HTTP."""

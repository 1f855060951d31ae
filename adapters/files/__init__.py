"""Spans in files."""

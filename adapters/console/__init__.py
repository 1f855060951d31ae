"""Spans on a terminal or in a pipe."""

"""Nodes are asked over HTTP."""

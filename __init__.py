"""Kernel tracing per container.

`container_tracer.domain` can be embedded by other programs: importing it loads
neither the web server nor any adapter.
"""

__version__ = "0.1.0"

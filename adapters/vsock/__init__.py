"""Connections from virtual machines: VSOCK, and what their monitors pass on to UNIX sockets."""

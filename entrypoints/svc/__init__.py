"""The svc role: one API for all nodes of a cluster."""

"""The Kubernetes API: which nodes there are, and who may do what."""

"""A Kubernetes API server over real HTTP, for tests: as much of it as this project uses."""

"""The built-in trace hooks, one module each."""

"""What a machine can do for tracing, and what keeps it from it: facts become findings."""

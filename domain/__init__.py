"""What the tracer knows and decides; it never opens, waits for, or sends anything itself."""

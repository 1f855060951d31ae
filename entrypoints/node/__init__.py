"""The node role: one per machine."""

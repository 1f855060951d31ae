"""The client role: what a person types."""

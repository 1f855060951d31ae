"""A demonstration: trace a throwaway container on this machine's own kernel."""

"""Bearer tokens in a file: who they belong to, and what they allow."""

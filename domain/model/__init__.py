"""Pure values and functions: bytes and text in, columns and decisions out."""

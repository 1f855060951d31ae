"""Other tools that see system calls, a module each."""

"""Kernel tracing through tracefs, Linux's file system for ftrace."""

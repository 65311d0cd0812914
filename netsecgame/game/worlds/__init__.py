"""Worlds: subclasses of the coordinator, each in a module of its own name."""

"""Environments for training: many copies of one game, stepped from Python arrays."""

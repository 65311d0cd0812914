"""Agents to play with, to play against and to begin one's own from."""

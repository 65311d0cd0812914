"""The rules of the game actions, one a file.

A rule is a function `apply(truth, known, action, agent) -> Knowledge`: it checks what the action
needs, changes the truth, writes the logs and returns what the agent knows afterwards (the same
object when nothing changed). `transition.py` has the table of them all.
"""

"""How the shipped agents think."""

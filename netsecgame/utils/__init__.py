"""Functions that agents use under names they have long known."""

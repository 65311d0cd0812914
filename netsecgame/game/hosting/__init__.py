"""Many games on one machine: `host` has those of one process, `workers` spreads them over more."""

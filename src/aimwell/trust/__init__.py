"""How sure: checks that stand beside every result."""

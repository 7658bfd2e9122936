"""Networks of motion."""

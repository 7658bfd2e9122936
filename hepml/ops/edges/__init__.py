"""Edges between the items of sets: who sends to whom."""

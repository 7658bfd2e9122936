"""Simulated jets, and the files that hold them."""

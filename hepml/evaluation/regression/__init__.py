"""Predicted numbers against the truth: figures with uncertainties, tables and plots."""

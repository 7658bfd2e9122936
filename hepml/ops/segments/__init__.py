"""Reductions over segments and scatter indices: the doors, and the kernels behind them."""

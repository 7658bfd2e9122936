"""Messages and moments over all pairs of each set: the doors, and the kernels behind them."""

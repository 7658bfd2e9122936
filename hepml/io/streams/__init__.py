"""Which sets are read, in which order, and by whom."""

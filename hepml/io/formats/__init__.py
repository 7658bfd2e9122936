"""Where the columns lie: ROOT, HDF5 and arrays in memory, each as a table."""

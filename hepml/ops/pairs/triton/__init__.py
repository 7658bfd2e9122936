"""Messages between all pairs in Triton: the programs, and their launch."""

"""What is learned: losses and figures."""

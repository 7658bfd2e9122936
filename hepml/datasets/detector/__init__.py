"""What a detector makes of particles."""

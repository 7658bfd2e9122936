"""Systems of bodies, and their exact motion."""

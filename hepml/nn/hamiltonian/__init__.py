"""Layers of Hamiltonian mechanics: energies that are learned, and the motion that follows."""

"""Layers between fields of representations of the Lorentz group."""

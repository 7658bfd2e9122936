"""The library in C: its sources, compiled and loaded when first needed."""

"""The commands on the motion of bodies: which recipes, options and figures they have."""

"""Networks that are symmetric under the Lorentz group."""

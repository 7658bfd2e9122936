"""Networks of sets without edges: deep sets."""

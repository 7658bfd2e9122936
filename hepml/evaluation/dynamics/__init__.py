"""What networks of dynamics reach: errors, drifts, figures."""

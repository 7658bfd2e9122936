"""What runs any task: folder, fit, checkpoints, progress."""

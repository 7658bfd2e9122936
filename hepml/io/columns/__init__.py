"""What to read: the columns of a file, by name, by layout or from YAML."""

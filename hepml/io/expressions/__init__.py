"""What a user may write where a column is expected: parsed, typed and evaluated."""

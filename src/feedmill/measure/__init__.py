"""What was shown and done in, evidence out."""

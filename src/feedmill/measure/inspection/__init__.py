"""What a log is like before anything is learned from it: its shape, who in it is no person, and what it can show."""

"""What candidates have said, and where it is stored."""

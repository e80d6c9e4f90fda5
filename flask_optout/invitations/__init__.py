"""What an invitation is made of, and the gate that it passes."""

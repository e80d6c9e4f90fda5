"""What a press of a button means: its evidence, its judgement, its history."""

"""What is wrong with my set-up, my domain, my messages and my doors: findings, each with the mend to paste."""

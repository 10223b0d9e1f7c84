"""What a picture loses between two files: figures, budgets, and both side by side."""

"""Picture quality of a file relative to a reference: metrics, budgets, side-by-side views."""

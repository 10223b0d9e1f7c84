"""Distillation: a student learns from a teacher's paintings, features, styles or logits."""

"""Evaluation: rank the held-out items, and what the ranks say."""

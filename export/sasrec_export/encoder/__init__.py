"""The trained network as the writers need it: its inference form, and what is computed from it once."""

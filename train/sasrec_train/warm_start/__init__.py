"""Training that starts from a RUN: weights and item vectors are taken over by item key."""

"""Training: windows and batches, losses, the step, the loop, checkpoints."""

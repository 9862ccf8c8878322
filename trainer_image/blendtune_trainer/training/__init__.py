"""The training: its plan, steps, checkpoints and the exported model."""

"""A training: its plan, its steps, its checkpoints and the model at its end."""

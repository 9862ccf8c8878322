"""The Blendtune API: what the operator, the trainer and the evaluation share. Standard library only."""

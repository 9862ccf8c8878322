"""What the programs of the trainer and evaluation images share."""

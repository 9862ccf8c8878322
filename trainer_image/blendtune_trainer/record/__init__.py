"""Progress, logs and experiment trackers of a running training."""

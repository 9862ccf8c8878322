"""What can fail at the first step or after the last one, tried by the blend Job, before a GPU is held."""

"""The stage in which the base model writes the rows that keep it what it is."""

"""Examples held out, chosen to the declared shares, and packed into bins."""

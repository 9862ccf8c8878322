"""From judgements to scores, their intervals and comparisons."""

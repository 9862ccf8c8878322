"""The operator: it turns BlendedFineTunes and RubricEvals into Jobs, and their results into status."""

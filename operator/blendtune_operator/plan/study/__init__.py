"""The plan of a BlendStudy: which runs it needs, which of them run now, and what they recommend."""

"""The plan of a BlendStudy: which runs answer its question, which of them run now, and what they say."""

"""Conversations as examples: token ids, and which of them are supervised."""

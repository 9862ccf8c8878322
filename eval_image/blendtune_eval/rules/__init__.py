"""The rules that find facts, numbers, claims and abstentions in an answer."""

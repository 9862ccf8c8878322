"""Conversations as a model reads them: what is learnt is rendered as what is asked."""

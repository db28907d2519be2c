"""Batch scoring: a file of histories in, a file of recommendations out, in bounded memory."""

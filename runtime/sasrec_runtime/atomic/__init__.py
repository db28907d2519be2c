"""Output that is written whole or not at all, and that replaces nothing but output of the same kind.

Standard library only, for training uses it too.
"""

"""Output that is written whole or not at all, and that replaces nothing but output of the same kind.

Standard library only: training, which imports nothing else of the runtime, uses it too.
"""

"""Which items an answer may hold: allowed sets, groups of items, and the k best under both."""

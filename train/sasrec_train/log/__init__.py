"""From a file to interactions: read, check, filter, encode, order."""

"""Item keys and titles of a bundle, in memory or mapped."""

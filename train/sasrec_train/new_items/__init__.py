"""New items without training: vectors from the users who took them, and from features."""

from sasrec_train.new_items.add import Added, add_items

__all__ = ["Added", "add_items"]

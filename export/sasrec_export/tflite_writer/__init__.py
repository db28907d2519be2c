"""The file of a TFLite variant: convert both entries, put the item table in, make operators integer ones, check."""

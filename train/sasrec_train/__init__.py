"""Train SASRec from an interaction log. Importing the package loads nothing heavy; its modules do."""

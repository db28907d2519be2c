"""Turn a trained run into a bundle. Importing the package loads nothing heavy; its modules do."""

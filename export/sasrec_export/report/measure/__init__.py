"""What is true of a bundle's variants: ranking, agreement, sizes, speed, on the same held-out users."""

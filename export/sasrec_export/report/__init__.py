"""What each variant costs in ranking quality, bytes and milliseconds, measured through the runtime."""

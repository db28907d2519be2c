"""Checks of a bundle on this machine: goldens, verify, bench, memory."""

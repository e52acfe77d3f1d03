"""Training of pattern tables by temporal differences; no torch."""

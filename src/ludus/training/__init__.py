"""Training: recipes, settings, the loop, the supervisor and its trainer child."""

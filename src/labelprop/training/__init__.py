"""Recipes, the loop that runs them, and the state it saves."""

"""Weights that others have written: read without executing anything they contain."""

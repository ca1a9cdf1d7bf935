"""Files on disk: whole or absent, verified, locked against a second writer."""

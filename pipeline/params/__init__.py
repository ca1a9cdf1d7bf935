"""params.yaml: the file, its check section by section, and the presets."""

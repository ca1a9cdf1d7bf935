"""One module per DVC stage: read the paths and the params section, call the library, write."""

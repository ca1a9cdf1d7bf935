"""Pictures for people: labels drawn over a photograph, panels side by side."""

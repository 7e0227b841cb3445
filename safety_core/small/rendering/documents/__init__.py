"""Documents of made-up people, and their harmless twins without data, rendered as pictures."""

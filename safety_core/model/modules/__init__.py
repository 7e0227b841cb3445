"""The trained safety modules: projector, tokens and head."""

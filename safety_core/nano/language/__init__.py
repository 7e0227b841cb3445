"""The language of the drawn world: labelling rules, wordings, questions and replies."""

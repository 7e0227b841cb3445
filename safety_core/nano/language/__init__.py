"""The texts of the drawn world: grammar, wordings, replies, and the corpus made of them."""

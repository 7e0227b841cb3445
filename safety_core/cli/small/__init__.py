"""``safevlm small``: the data that safevlm-small is made of."""

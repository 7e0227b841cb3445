"""The texts and photographs that safevlm-small is made of: sources, labels, near-duplicate groups, frozen splits."""

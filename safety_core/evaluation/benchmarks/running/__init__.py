"""Runs: a system answers the items of a suite into a folder, judges read the replies, and both can be resumed."""

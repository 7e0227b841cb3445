"""Public benchmarks: a system answers the items of a suite, judges read its replies, and a report is made of both."""

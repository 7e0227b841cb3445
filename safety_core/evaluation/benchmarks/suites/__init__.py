"""Suites of public benchmarks: where their data come from, their items, and a seeded choice of them."""

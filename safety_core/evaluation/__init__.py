"""Measures a guarded model: suites of pairs, judges of replies, figures with intervals, bars, and calibration.

A suite is a folder of JSONL, PNG and ``suite.json``; a model is a checkpoint directory. ``docs/evaluation.md`` defines
every figure.
"""

"""One module per public data set: its file layout, the schema of its records and the labels of its categories.

To add a data set, write a module with an ``ADAPTER`` here and list it in ``safety_core/data/registry.py``.
"""

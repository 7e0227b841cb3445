"""The OpenAPI document: declarations of single routes, and additions to all routes.

The framework cannot infer the schemas of request bodies, because the server reads bodies itself to count their bytes as
they arrive.
"""

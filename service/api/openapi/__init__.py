"""The OpenAPI document: what routes declare by hand, and what is added to all of them.

Bodies are read without the framework, so that they can be counted while they arrive; it cannot infer their schemas.
"""

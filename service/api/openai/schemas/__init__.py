"""Pydantic models of the OpenAI-compatible paths.

A request may have every field that OpenAI documents, and those that common clients and servers add. A field without a
counterpart here is accepted with values that change nothing and rejected with any other, so that no option is silently
ignored and no text reaches the model unjudged.
"""

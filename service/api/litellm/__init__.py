"""The guardrail endpoint for LiteLLM."""

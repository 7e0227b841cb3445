"""The command `safevlm`."""

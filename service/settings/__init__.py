"""Settings of the server: environment variables ``SAFEVLM_*``, described in ``docs/settings.md``."""

from service.settings.settings import PREFIX, Settings

__all__ = ["PREFIX", "Settings"]

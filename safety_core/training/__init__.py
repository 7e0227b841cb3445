"""Two-stage training of the safety modules. Knows no engine, evaluation, audit log or nano."""

"""What every request passes before its endpoint: authentication, admission, origins and budgets."""

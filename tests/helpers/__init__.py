"""What test modules lend each other: models, servers, clients, pictures and fakes."""

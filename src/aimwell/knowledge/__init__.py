"""What is known: databases in, a typed graph and known targets out."""

"""Rules for data: what goes into the network."""

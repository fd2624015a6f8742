"""What runs in the environment of the peers; in a folder of its own, as Python puts that first into its path."""

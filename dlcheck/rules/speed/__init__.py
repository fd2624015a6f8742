"""What keeps a training from being as fast as its device, and what it needs of memory."""

"""How often ``dlcheck profile-gpu`` is right about what a training waits for; ``__main__`` says how to run it."""

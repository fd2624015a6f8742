"""The classic: learn one small batch by heart."""

"""Measures the agent beside what a user would pick instead, on the same slaves and broker."""

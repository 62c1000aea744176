"""Policies learnt in sparse equations that stand for the environment, and the count of true steps that this takes."""

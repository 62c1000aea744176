"""Protocols about how things move: equations against those that are known, and models that go on by themselves."""

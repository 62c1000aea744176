"""Events between two nodes at a time: contacts, messages, transactions."""

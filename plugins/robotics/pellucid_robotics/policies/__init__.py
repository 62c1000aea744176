"""Cards of robot policies, of what they are tried on and of what they are trained on: facts, with where each comes from."""

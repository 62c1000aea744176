"""Episodes of states and actions: what is checked, how they are cut, and where they come from."""

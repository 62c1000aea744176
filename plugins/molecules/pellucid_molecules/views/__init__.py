"""How molecules are drawn."""

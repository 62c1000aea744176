"""How well a target is predicted: metrics, in words and figures."""

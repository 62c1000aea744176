"""Actions of robots in one space, where every number has a physical meaning."""

"""Crystals: read from CIF, as periodic graphs, with what their pores are like."""

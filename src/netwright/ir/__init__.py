"""Graphs, their costs and their memory; knows no torch."""

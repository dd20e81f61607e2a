"""Modelled against recorded: alignments, deviations, rules, evidence."""

"""Measures of models that move by themselves, beside what they are models of: arrays in, numbers out. They know no model and no dataset.

Throughout, a series has shape (step, variable); where several of one length may be given, (series, step, variable).

One module for one idea, imported by name: ``from pellucid.measures.dynamics import state_space``.

===========  ==================================================================================================
state_space  are the same places visited as often? Says nothing of the order in which they are
spectra      are rhythms the same? Says little of the places
lyapunov     how fast do neighbours part?
forecasts    how far off is it after so many steps? In chaos it must be, sooner or later, whoever forecasts
===========  ==================================================================================================
"""

"""Made-up electroencephalograms, drawn from known sources: physics-like, and not for clinical use.

Dipoles in a sphere are seen by electrodes on it, beside noise whose power falls with frequency. Two kinds are made:
:func:`~pellucid_datasets.electroencephalograms.imagery.session`, trials of imagined movements that weaken a rhythm over one
place, and :func:`~pellucid_datasets.electroencephalograms.discharges.windows`, spike-and-wave discharges against alpha.
Which channels and bands a class changes is written down beside them.
"""

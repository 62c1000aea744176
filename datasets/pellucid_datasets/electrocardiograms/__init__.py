"""Made-up electrocardiograms, drawn from known signs: physics-like, and not for clinical use.

The heart is one dipole that moves in three dimensions; electrodes on the body see its projection on a vector of their own, and
leads are differences between electrodes. P, QRS and T are Gaussians of the dipole over the beat. What a sign (a wide QRS
complex, a shifted ST segment) does to the signal, and where, is written down with each recording.

Start with :func:`~pellucid_datasets.electrocardiograms.recordings.made`; ``signs`` says what can be planted.
"""

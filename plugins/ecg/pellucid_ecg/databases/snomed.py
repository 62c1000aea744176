"""SNOMED CT codes of the PhysioNet/CinC Challenges, in words.

Facts of the tables that the Challenges publish (``dx_mapping_scored.csv`` and ``dx_mapping_unscored.csv``); a code that is not
here keeps its number.
"""

from __future__ import annotations

SCORED = {
    "164889003": "atrial fibrillation",
    "164890007": "atrial flutter",
    "6374002": "bundle branch block",
    "426627000": "bradycardia",
    "733534002": "complete left bundle branch block",
    "713427006": "complete right bundle branch block",
    "270492004": "first-degree AV block",
    "713426002": "incomplete right bundle branch block",
    "39732003": "left axis deviation",
    "445118002": "left anterior fascicular block",
    "164909002": "left bundle branch block",
    "251146004": "low QRS voltages",
    "698252002": "nonspecific intraventricular conduction disorder",
    "426783006": "sinus rhythm",
    "284470004": "premature atrial contraction",
    "10370003": "pacing rhythm",
    "365413008": "poor R wave progression",
    "427172004": "premature ventricular contractions",
    "164947007": "prolonged PR interval",
    "111975006": "prolonged QT interval",
    "164917005": "abnormal Q wave",
    "47665007": "right axis deviation",
    "59118001": "right bundle branch block",
    "427393009": "sinus arrhythmia",
    "426177001": "sinus bradycardia",
    "427084000": "sinus tachycardia",
    "63593006": "supraventricular premature beats",
    "164934002": "abnormal T wave",
    "59931005": "T wave inversion",
    "17338001": "ventricular premature beats",
}
"""The 30 codes that the Challenge of 2021 scored."""

OTHERS = {
    "55930002": "ST changes",
    "429622005": "ST depression",
    "164931005": "ST elevation",
    "164930006": "abnormal ST interval",
    "428750005": "nonspecific ST-T abnormality",
    "164873001": "left ventricular hypertrophy",
    "55827005": "left ventricular high voltage",
    "89792004": "right ventricular hypertrophy",
    "266249003": "ventricular hypertrophy",
    "253352002": "left atrial abnormality",
    "253339007": "right atrial abnormality",
    "446358003": "right atrial hypertrophy",
    "67741000119109": "left atrial enlargement",
    "195126007": "atrial hypertrophy",
    "164865005": "myocardial infarction",
    "164867002": "old myocardial infarction",
    "57054005": "acute myocardial infarction",
    "54329005": "anterior myocardial infarction",
    "164861001": "myocardial ischaemia",
    "413444003": "acute myocardial ischaemia",
    "426434006": "anterior ischaemia",
    "195042002": "second-degree AV block",
    "27885002": "third-degree AV block",
    "233917008": "AV block",
    "426761007": "supraventricular tachycardia",
    "67198005": "paroxysmal supraventricular tachycardia",
    "713422000": "atrial tachycardia",
    "195080001": "atrial fibrillation and flutter",
    "314208002": "rapid atrial fibrillation",
    "251173003": "atrial bigeminy",
    "164884008": "ventricular ectopic beats",
    "11157007": "ventricular bigeminy",
    "251180001": "ventricular trigeminy",
    "164895002": "ventricular tachycardia",
    "164896001": "ventricular fibrillation",
    "75532003": "ventricular escape beat",
    "81898007": "ventricular escape rhythm",
    "251266004": "ventricular pacing pattern",
    "195060002": "ventricular pre-excitation",
    "74390002": "Wolff-Parkinson-White pattern",
    "49578007": "shortened PR interval",
    "164951009": "abnormal QRS",
    "164921003": "abnormal R wave",
    "164937009": "abnormal U wave",
    "60423000": "sinus node dysfunction",
    "65778007": "sinoatrial block",
    "426664006": "accelerated junctional rhythm",
    "29320008": "AV junctional rhythm",
    "251139008": "suspected reversal of arm leads",
}
"""Some of the others."""


def in_words(code: str) -> str:
    """A code's name, or the code.

    Examples
    --------
    >>> in_words("426783006"), in_words("1")
    ('sinus rhythm', 'SNOMED CT 1')
    """
    return SCORED.get(code) or OTHERS.get(code) or f"SNOMED CT {code}"

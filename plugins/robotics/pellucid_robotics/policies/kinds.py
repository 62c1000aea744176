"""What this plugin adds to the kinds of components: cards that are files. Nothing heavy is imported here."""

from __future__ import annotations

from pellucid.kinds import Kind

_CHECKS = "pellucid_robotics.policies.checks"

POLICY = Kind("policy", "policies", _CHECKS, ("is_complete", "results_are_of_known_suites"), is_file=True)
BENCHMARK = Kind("benchmark", "benchmarks", _CHECKS, ("is_complete",), is_file=True)
CORPUS = Kind("corpus", "corpora", _CHECKS, ("is_complete",), is_file=True)

_NAMES = {
    POLICY: (
        "act",
        "code-as-policies",
        "cogact-base",
        "diffusion-policy",
        "hi-robot",
        "octo-base",
        "openvla-7b",
        "pi0",
        "rdt-1b",
        "rekep",
        "rt-2",
        "saycan",
        "susie",
        "voxposer",
    ),
    BENCHMARK: (
        "aloha-sim",
        "calvin",
        "libero",
        "maniskill",
        "meta-world",
        "push-t",
        "rlbench",
        "simpler",
        "vima-bench",
    ),
    CORPUS: ("bridge-data-v2", "droid", "libero-demonstrations", "open-x-embodiment", "rdt-fine-tuning"),
}

ADDED = {
    kind: {name: f"pellucid_robotics/policies/cards/{kind.plural}/{name}.toml" for name in names}
    for kind, names in _NAMES.items()
}
"""Each kind with its components, as a plugin's record wants them."""

"""The core's own components, registered through the same entry point as anybody's."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="core",
    api=API,
    encoders={
        "cnn": "pellucid.encoders.cnn:Cnn",
        "identity": "pellucid.encoders.identity:Identity",
        "vae-dirichlet": "pellucid.encoders.vae_dirichlet:VaeDirichlet",
        "vae-gaussian": "pellucid.encoders.vae_gaussian:VaeGaussian",
    },
    heads={
        "additive": "pellucid.heads.functions.additive:Additive",
        "concept-bottleneck": "pellucid.heads.concepts.bottleneck:ConceptBottleneck",
        "latent-traversal": "pellucid.heads.traversal:LatentTraversal",
        "linear": "pellucid.heads.functions.linear:Linear",
        "mlp": "pellucid.heads.mlp:Mlp",
    },
    measures={
        "mass": "pellucid.protocols.traversal.monotonicity:mass",
        "outline-area": "pellucid.measures.shape:area",
        "outline-perimeter": "pellucid.measures.shape:perimeter",
        "outline-spiculation": "pellucid.measures.shape:spiculation",
    },
    protocols={
        "concept-audit": "pellucid.protocols.concepts.audit:ConceptAudit",
        "explanation-audit": "pellucid.protocols.explanations.audit:ExplanationAudit",
        "latent-clusters": "pellucid.protocols.latents.clusters:LatentClusters",
        "nested-subject-cv": "pellucid.protocols.nested_subject_cv:NestedSubjectCv",
        "prediction": "pellucid.protocols.prediction:Prediction",
        "subject-holdout": "pellucid.protocols.subject_holdout:SubjectHoldout",
        "traversal-monotonicity": "pellucid.protocols.traversal.monotonicity:TraversalMonotonicity",
    },
)

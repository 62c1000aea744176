"""The core's own components, registered through the same entry point as anybody's."""

from pellucid.plugins import API, Plugin

PLUGIN = Plugin(
    name="core",
    api=API,
    datasets={"activations": "pellucid.activations.dataset:ActivationsFolder"},
    encoders={
        "cnn": "pellucid.encoders.cnn:Cnn",
        "dts": "pellucid.encoders.dts.encoder:Dts",
        "identity": "pellucid.encoders.identity:Identity",
        "sequential-fusion": "pellucid.encoders.sequential_fusion:SequentialFusion",
        "vae-dirichlet": "pellucid.encoders.vae_dirichlet:VaeDirichlet",
        "vae-gaussian": "pellucid.encoders.vae_gaussian:VaeGaussian",
    },
    heads={
        "additive": "pellucid.heads.functions.additive:Additive",
        "concept-bottleneck": "pellucid.heads.concepts.bottleneck:ConceptBottleneck",
        "cumulative": "pellucid.heads.cumulative:Cumulative",
        "latent-traversal": "pellucid.heads.traversal:LatentTraversal",
        "linear": "pellucid.heads.functions.linear:Linear",
        "linear-tokens": "pellucid.heads.tokens:LinearTokens",
        "mlp": "pellucid.heads.mlp:Mlp",
        "prototypes": "pellucid.heads.prototypes.head:Prototypes",
        "prototypes-grouped": "pellucid.heads.prototypes.grouped:PrototypesGrouped",
    },
    measures={
        "mass": "pellucid.protocols.traversal.monotonicity:mass",
        "outline-area": "pellucid.measures.shape:area",
        "outline-perimeter": "pellucid.measures.shape:perimeter",
        "outline-spiculation": "pellucid.measures.shape:spiculation",
    },
    protocols={
        "concept-audit": "pellucid.protocols.concepts.audit:ConceptAudit",
        "dictionary-features": "pellucid.protocols.dictionaries.features:DictionaryFeatures",
        "dictionary-metrics": "pellucid.protocols.dictionaries.metrics:DictionaryMetrics",
        "explanation-audit": "pellucid.protocols.explanations.audit:ExplanationAudit",
        "latent-clusters": "pellucid.protocols.latents.clusters:LatentClusters",
        "missingness": "pellucid.protocols.missingness.flip:Missingness",
        "modality-importance": "pellucid.protocols.missingness.importance:ModalityImportance",
        "nested-subject-cv": "pellucid.protocols.nested_subject_cv:NestedSubjectCv",
        "prediction": "pellucid.protocols.prediction:Prediction",
        "prototype-audit": "pellucid.protocols.prototypes.audit:PrototypeAudit",
        "subject-holdout": "pellucid.protocols.subject_holdout:SubjectHoldout",
        "traversal-monotonicity": "pellucid.protocols.traversal.monotonicity:TraversalMonotonicity",
    },
)

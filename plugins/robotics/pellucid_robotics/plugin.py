"""What the robotics plugin offers."""

from pellucid.plugins import API, Plugin
from pellucid_robotics.policies.kinds import ADDED

PLUGIN = Plugin(
    name="robotics",
    api=API,
    datasets={
        "action-chunks": "pellucid_robotics.actions.cloning:ActionChunks",
        "adroit-door": "pellucid_robotics.trajectories.adroit:AdroitDoor",
        "aliased-cube": "pellucid_robotics.maps.walks:AliasedCube",
        "aliased-room": "pellucid_robotics.maps.walks:AliasedRoom",
        "aloha-hdf5": "pellucid_robotics.trajectories.hdf5:AlohaHdf5",
        "gym-episodes": "pellucid_robotics.trajectories.gym:GymEpisodes",
        "lerobot-tree": "pellucid_robotics.trajectories.lerobot:LeRobotTree",
        "minigrid-walks": "pellucid_robotics.maps.minigrid:MinigridWalks",
        "obstacle-synthetic": "pellucid_datasets.robots.obstacle:ObstacleSynthetic",
        "reaching-synthetic": "pellucid_datasets.robots.reaching:ReachingSynthetic",
        "robomimic-hdf5": "pellucid_robotics.trajectories.hdf5:RobomimicHdf5",
        "swingup": "pellucid_robotics.rl.dataset:SwingUpSteps",
        "trajectory-arrays": "pellucid_robotics.trajectories.arrays:TrajectoryArrays",
        "uci-robot-failures": "pellucid_robotics.trajectories.uci_failures:UciRobotFailures",
    },
    heads={
        "rdt-small": "pellucid_robotics.actions.diffusion_transformer:RdtSmall",
    },
    protocols={
        "map-planning": "pellucid_robotics.maps.planning:MapPlanning",
        "physical-consistency": "pellucid_robotics.actions.consistency:PhysicalConsistency",
        "policy-learning": "pellucid_robotics.rl.policy_learning:PolicyLearning",
    },
    studies={
        "robotics-failures": "pellucid_robotics/studies/robotics-failures.toml",
        "robotics-lorenz": "pellucid_robotics/studies/robotics-lorenz.toml",
        "robotics-maze": "pellucid_robotics/studies/robotics-maze.toml",
        "robotics-obstacle": "pellucid_robotics/studies/robotics-obstacle.toml",
        "robotics-reaching": "pellucid_robotics/studies/robotics-reaching.toml",
        "robotics-regions": "pellucid_robotics/studies/robotics-regions.toml",
        "robotics-swingup": "pellucid_robotics/studies/robotics-swingup.toml",
    },
    views={
        "action-table": "pellucid_robotics.views.action_table:action_table",
        "readings": "pellucid_robotics.views.readings:readings",
        "walk": "pellucid_robotics.views.walk:walk",
    },
    added=ADDED,
    mend="pip install --force-reinstall pellucid-robotics",
)

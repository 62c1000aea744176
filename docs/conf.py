"""Settings of the documentation: `make docs` builds it with warnings as errors."""

import os
import warnings

import pellucid

# Figures of the notebook are drawn into the page, whatever backend this shell is told to use.
os.environ.pop("MPLBACKEND", None)

project = "pellucid"
author = "The pellucid developers"
version = release = pellucid.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "pellucid"

# The notebook runs at every build, so that what it shows is what the code does.
nb_execution_mode = "force"
nb_execution_timeout = 300
nb_execution_raise_on_error = True
# Progress lines and notices of other packages.
nb_output_stderr = "remove"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
# Types of torch, numpy and pandas are named in words; links into their pages would need a network.
nitpicky = False
napoleon_google_docstring = False
napoleon_use_rtype = False

warnings.filterwarnings("ignore", category=DeprecationWarning, module="zmq|jupyter_client")

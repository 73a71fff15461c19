"""Owns the stand-in for `seldon_core.microservice`: names that classes read from it.

Must not serve: that is `millrace microservice`.
"""

from executor.component.seldon_core.flask_utils import SeldonMicroserviceException

PARAMETERS_ENV_NAME = "PREDICTIVE_UNIT_PARAMETERS"
HTTP_SERVICE_PORT_ENV_NAME = "PREDICTIVE_UNIT_HTTP_SERVICE_PORT"
GRPC_SERVICE_PORT_ENV_NAME = "PREDICTIVE_UNIT_GRPC_SERVICE_PORT"
METRICS_SERVICE_PORT_ENV_NAME = "PREDICTIVE_UNIT_METRICS_SERVICE_PORT"
LOG_LEVEL_ENV = "SELDON_LOG_LEVEL"
ANNOTATIONS_FILE = "/etc/podinfo/annotations"

__all__ = [
    "ANNOTATIONS_FILE",
    "GRPC_SERVICE_PORT_ENV_NAME",
    "HTTP_SERVICE_PORT_ENV_NAME",
    "LOG_LEVEL_ENV",
    "METRICS_SERVICE_PORT_ENV_NAME",
    "PARAMETERS_ENV_NAME",
    "SeldonMicroserviceException",
]

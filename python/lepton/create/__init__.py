"""Makes a service folder from a model of any framework: `lepton create`."""

from lepton.create.errors import CreateError
from lepton.create.options import InputSpec, Options, parse_input
from lepton.create.service import Service, create_service

__all__ = ["CreateError", "InputSpec", "Options", "Service", "create_service", "parse_input"]

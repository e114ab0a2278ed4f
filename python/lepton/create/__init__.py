"""Makes a service folder from a model file: `lepton create`."""

from lepton.create.service import CreateError, Service, create_service

__all__ = ["CreateError", "Service", "create_service"]
